import type { Client } from '@temporalio/client';
import { workflowTypes } from '../contract/names.ts';
import type { UndoHeartbeat, UndoOutcome, UndoProgress, UndoRequest } from '../contract/undo-request.ts';
import { summaryText } from '../restore/clip.ts';
import { withRows } from '../restore/undo-progress.ts';
import { OutcomeClient } from './outcome-client.ts';
import type { WorkflowStart } from './restore-client.ts';

/** Has workers take restores back. */
export class UndoClient extends OutcomeClient<UndoRequest, UndoOutcome, UndoProgress> {
  constructor(client: Client, taskQueue: string) {
    super(client, taskQueue, undoWorkflow);
  }

  /** Whether a restore that Temporal knows is an undo of another. Needs no worker. */
  async isUndo(restoreId: string): Promise<boolean> {
    return (await this.typeOf(restoreId)) === workflowTypes.undoRestore;
  }

  override async progress(restoreId: string): Promise<UndoProgress> {
    const progress = await super.progress(restoreId);
    if (progress.outcome !== null || progress.undoing.length === 0) return progress;
    const told = await this.heartbeat<UndoHeartbeat>(restoreId);
    return withRows(progress, told?.tables ?? []);
  }
}

/** The workflow of an undo. */
export function undoWorkflow(request: UndoRequest): WorkflowStart {
  const { undoes, database } = request;
  const summary = summaryText(`undo of ${undoes} of ${database}`);
  return { type: workflowTypes.undoRestore, args: [request], summary };
}
