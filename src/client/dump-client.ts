import type { Client } from '@temporalio/client';
import type { DumpOutcome, DumpProgress } from '../contract/dump-activities.ts';
import type { DumpChoice, DumpRequest } from '../contract/dump-request.ts';
import { workflowTypes } from '../contract/names.ts';
import { summaryText } from '../restore/clip.ts';
import { OutcomeClient } from './outcome-client.ts';
import type { WorkflowStart } from './restore-client.ts';

/** Starts restores of dumps and asks how they go. */
export class DumpClient extends OutcomeClient<DumpRequest, DumpOutcome, DumpProgress> {
  constructor(client: Client, taskQueue: string) {
    super(client, taskQueue, dumpWorkflow);
  }

  /** Whether a restore that Temporal knows is one of a dump. Needs no worker. */
  async isDump(restoreId: string): Promise<boolean> {
    return (await this.typeOf(restoreId)) === workflowTypes.restoreDump;
  }

  override async progress(restoreId: string): Promise<DumpProgress> {
    const dump = await super.progress(restoreId);
    if (dump.step !== 'prove' && dump.step !== 'load') return dump;
    const told = await this.heartbeat<{ readonly bytes?: number }>(restoreId);
    return told?.bytes === undefined ? dump : { ...dump, bytes: { ...dump.bytes, done: told.bytes } };
  }
}

/** The workflow of a restore of a dump. */
export function dumpWorkflow(request: DumpRequest): WorkflowStart {
  const { service, database, mode, choice } = request;
  const summary = summaryText(`${service}: ${told(choice)} into ${database} (${mode})`);
  return { type: workflowTypes.restoreDump, args: [request], summary };
}

function told(choice: DumpChoice): string {
  if (choice.kind === 'key') return choice.key;
  if (choice.kind === 'file') return choice.path;
  return choice.before === null ? 'latest dump' : `latest dump before ${choice.before}`;
}
