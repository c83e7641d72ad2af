import { type Client, WorkflowFailedError } from '@temporalio/client';
import type { createSnapshot } from '../../workflows/create-snapshot.ts';
import { snapshotWorkflowId, workflowTypes } from '../contract/names.ts';
import type { CreateSnapshotRequest, SnapshotSummary } from '../contract/snapshot.ts';
import { summaryText } from '../restore/clip.ts';
import { toldError } from './backup-client.ts';

/** Has snapshots taken. */
export class SnapshotClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Takes a snapshot, and waits until it lies in the store. @throws what it failed for; `WorkflowFailedError` where it was cancelled */
  async take(request: CreateSnapshotRequest): Promise<SnapshotSummary> {
    const handle = await this.#client.workflow.start<typeof createSnapshot>(workflowTypes.createSnapshot, {
      taskQueue: this.#taskQueue,
      workflowId: snapshotWorkflowId(request.id),
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [request],
      staticSummary: summaryText(`Snapshot ${request.name} of ${request.database}`),
    });
    try {
      return await handle.result();
    } catch (error) {
      throw error instanceof WorkflowFailedError ? (toldError(error) ?? error) : error;
    }
  }

  /** Asks for one that is being taken to be cancelled. */
  async cancel(id: string): Promise<void> {
    await this.#client.workflow.getHandle(snapshotWorkflowId(id)).cancel();
  }
}
