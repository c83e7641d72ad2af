import type { Client } from '@temporalio/client';
import { workflowTypes } from '../contract/names.ts';
import type { PitrHeartbeat, PitrOutcome, PitrProgress, PitrRequest } from '../contract/pitr.ts';
import { summaryText } from '../restore/clip.ts';
import { targetText } from '../restore/pitr-progress.ts';
import { OutcomeClient } from './outcome-client.ts';
import type { WorkflowStart } from './restore-client.ts';

/** Starts recoveries and asks how they go. */
export class PitrClient extends OutcomeClient<PitrRequest, PitrOutcome, PitrProgress> {
  constructor(client: Client, taskQueue: string) {
    super(client, taskQueue, pitrWorkflow);
  }

  /** Whether a restore that Temporal knows is a recovery. Needs no worker. */
  async isPitr(restoreId: string): Promise<boolean> {
    return (await this.typeOf(restoreId)) === workflowTypes.restorePitr;
  }

  override async progress(restoreId: string): Promise<PitrProgress> {
    const progress = await super.progress(restoreId);
    return { ...progress, now: await this.heartbeat<PitrHeartbeat>(restoreId) };
  }
}

function pitrWorkflow(request: PitrRequest): WorkflowStart {
  const { base, target, into } = request;
  const summary = summaryText(`${base} to ${targetText(target)} in ${into}`);
  return { type: workflowTypes.restorePitr, args: [request], summary };
}
