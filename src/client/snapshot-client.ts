import { type Client, WorkflowFailedError } from '@temporalio/client';
import type { createSnapshot } from '../../workflows/create-snapshot.ts';
import { snapshotScheduleId, snapshotWorkflowId, workflowTypes } from '../contract/names.ts';
import type { CreateSnapshotRequest, SnapshotSummary } from '../contract/snapshot.ts';
import { summaryText } from '../restore/clip.ts';
import { toldError } from './backup-client.ts';
import type { CronSchedule } from './schedules.ts';

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
      staticSummary: summaryOf(request),
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

/** The schedule of snapshots of one name: each run has an id of its own. */
export function snapshotSchedule(
  request: CreateSnapshotRequest,
  when: Pick<CronSchedule, 'cron' | 'timeZone' | 'taskQueue'>,
): CronSchedule {
  const scheduleId = snapshotScheduleId(request.database, request.name);
  return {
    ...when,
    ...{ type: workflowTypes.createSnapshot, args: [{ ...request, id: '' }], summary: summaryOf(request) },
    ...{ scheduleId, workflowId: scheduleId },
  };
}

function summaryOf({ name, database }: CreateSnapshotRequest): string {
  return summaryText(`Snapshot ${name} of ${database}`);
}
