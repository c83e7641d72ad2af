import type { Client } from '@temporalio/client';
import { decideUpdate } from '../contract/messages.ts';
import { workflowTypes } from '../contract/names.ts';
import type { SystemOutcome, SystemProgress } from '../contract/system-activities.ts';
import type { Decision, SystemRequest } from '../contract/system-request.ts';
import { summaryText } from '../restore/clip.ts';
import { OutcomeClient } from './outcome-client.ts';
import type { WorkflowStart } from './restore-client.ts';

/** Starts restores of systems, asks how they go, and says what becomes of steps that failed. */
export class SystemClient extends OutcomeClient<SystemRequest, SystemOutcome, SystemProgress> {
  constructor(client: Client, taskQueue: string) {
    super(client, taskQueue, systemWorkflow);
  }

  /** Whether a restore that Temporal knows is one of a system. Needs no worker. */
  async isSystem(restoreId: string): Promise<boolean> {
    return (await this.typeOf(restoreId)) === workflowTypes.restoreSystem;
  }

  /** Decides what becomes of a step that failed. @throws InputInvalid with the reason when it waits for nothing */
  async decide(restoreId: string, decision: Decision): Promise<void> {
    await this.ask(restoreId, (handle) => handle.executeUpdate(decideUpdate, { args: [decision] }));
  }
}

/** The workflow of a restore of a system. */
export function systemWorkflow(request: SystemRequest): WorkflowStart {
  const { system, before } = request;
  const summary = summaryText(`system ${system}${before === null ? '' : `, dumps before ${before}`}`);
  return { type: workflowTypes.restoreSystem, args: [request], summary };
}
