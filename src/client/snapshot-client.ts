import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { createSnapshot } from '../../workflows/create-snapshot.ts';
import { snapshotScheduleId, snapshotWorkflowId, workflowTypes } from '../contract/names.ts';
import type { CreateSnapshotRequest, SnapshotSummary } from '../contract/snapshot.ts';
import type { ThawError } from '../contract/thaw-error.ts';
import { summaryText } from '../restore/clip.ts';
import { toldError } from './backup-client.ts';
import { type RestoreDescription, standingOf } from './restore-client.ts';
import type { CronSchedule } from './schedules.ts';

/** A question waits this long for Temporal to answer it. */
const answerWithinMs = 10_000;

/** What Temporal alone tells of a snapshot that is being taken, or was to be. */
export interface SnapshotTaking extends RestoreDescription {
  /** Null of one that a schedule takes. */
  readonly request: CreateSnapshotRequest | null;
}

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
    await this.#client.workflow.start<typeof createSnapshot>(workflowTypes.createSnapshot, {
      taskQueue: this.#taskQueue,
      workflowId: snapshotWorkflowId(request.id),
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [request],
      memo: memoOf(request),
      staticSummary: summaryOf(request),
    });
    return this.outcome(request.id);
  }

  /** Waits until one that was begun lies in the store. @throws as {@link take} */
  async outcome(id: string): Promise<SnapshotSummary> {
    try {
      return await this.#client.workflow.getHandle<typeof createSnapshot>(snapshotWorkflowId(id)).result();
    } catch (error) {
      throw error instanceof WorkflowFailedError ? (toldError(error) ?? error) : error;
    }
  }

  /**
   * Has a snapshot taken, without waiting for it.
   *
   * @returns false where one of that id is taken or was to be, as long as Temporal remembers
   */
  async start(request: CreateSnapshotRequest): Promise<boolean> {
    try {
      await this.#inTime(() =>
        this.#client.workflow.start<typeof createSnapshot>(workflowTypes.createSnapshot, {
          taskQueue: this.#taskQueue,
          workflowId: snapshotWorkflowId(request.id),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          args: [request],
          memo: memoOf(request),
          staticSummary: summaryOf(request),
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** What Temporal tells of one without a worker; null where it knows none of that id. */
  async describe(id: string): Promise<SnapshotTaking | null> {
    try {
      const execution = await this.#inTime(() =>
        this.#client.workflow.getHandle(snapshotWorkflowId(id)).describe(),
      );
      const { request = null } = (execution.memo ?? {}) as Partial<ReturnType<typeof memoOf>>;
      return {
        request,
        standing: standingOf(execution.status.name, execution.historyLength),
        createdAt: execution.startTime,
        endedAt: execution.closeTime ?? null,
      };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  /** Why one that has ended failed; null where nothing of the closed set tells it. */
  async failure(id: string): Promise<ThawError | null> {
    try {
      await this.#inTime(() => this.#client.workflow.getHandle(snapshotWorkflowId(id)).result());
      return null;
    } catch (error) {
      if (error instanceof WorkflowFailedError) return toldError(error);
      throw error;
    }
  }

  /** Asks for one that is being taken to be cancelled. */
  async cancel(id: string): Promise<void> {
    await this.#inTime(() => this.#client.workflow.getHandle(snapshotWorkflowId(id)).cancel());
  }

  #inTime<T>(ask: () => Promise<T>): Promise<T> {
    return this.#client.withDeadline(Date.now() + answerWithinMs, ask);
  }
}

/** What was asked for, told without a worker. */
function memoOf(request: CreateSnapshotRequest) {
  return { request };
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
