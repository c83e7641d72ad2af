import {
  ApplicationFailure,
  CancelledFailure,
  type Client,
  TerminatedFailure,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionStatusName,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import type { restoreAll } from '../../workflows/restore-all.ts';
import {
  cancelSignal,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  tableProgressQuery,
} from '../contract/messages.ts';
import { restoreWorkflowId, workflowTypes } from '../contract/names.ts';
import type { RestoreOutcome, TableError } from '../contract/outcome.ts';
import {
  isEnded,
  type RestoreProgress,
  type RestoreState,
  type TableProgress,
} from '../contract/progress.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { summaryText } from '../restore/clip.ts';
import { terminatedRestore } from '../restore/lost-restore.ts';
import { mergeProgress } from '../restore/progress.ts';

/** A question waits this long for Temporal, and where need be a worker, to answer it. */
const answerWithinMs = 10_000;

/** How Temporal sees a restore, whether or not a worker is there to answer for it. */
export type RestoreStanding = 'running' | 'ended' | 'unknown';

/** What Temporal alone tells of a restore. */
export interface RestoreDescription {
  /** `queued`: no worker has begun with it. `broken`: terminated or timed out, so that it has no outcome. */
  readonly standing: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled' | 'broken';
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** What the run of a source is started with. */
export interface WorkflowStart {
  /** The workflow type. */
  readonly type: string;
  readonly args: readonly unknown[];
  /** What the Temporal UI shows of it in lists. */
  readonly summary: string;
}

/** Starts restores in Temporal, asks how they go, and tells them what users want: shared by CLI and API. */
export class RestoreClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /**
   * Starts a restore; one of the same id that runs already is joined.
   *
   * @returns whether it was started by this call
   */
  async start(request: RestoreRequest): Promise<boolean> {
    try {
      await this.#inTime(() =>
        this.#client.workflow.start<typeof restoreAll>(workflowTypes.restoreAll, {
          taskQueue: this.#taskQueue,
          workflowId: restoreWorkflowId(request.restoreId),
          args: [request],
          staticSummary: summaryOf(request),
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /**
   * Starts the workflow of a run, unless it was ever started: Temporal sees to it, however many ask at once, as
   * long as it remembers the one that ended (the retention of the namespace).
   */
  async startRun(runId: string, { type, args, summary }: WorkflowStart): Promise<void> {
    try {
      await this.#inTime(() =>
        this.#client.workflow.start(type, {
          taskQueue: this.#taskQueue,
          workflowId: restoreWorkflowId(runId),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          args: [...args],
          staticSummary: summary,
        }),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** What Temporal tells of a restore without a worker; null when it knows none of that id. */
  async describe(restoreId: string): Promise<RestoreDescription | null> {
    try {
      const execution = await this.#inTime(() => this.#handle(restoreId).describe());
      return {
        standing: standingOf(execution.status.name, execution.historyLength),
        createdAt: execution.startTime,
        endedAt: execution.closeTime ?? null,
      };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  /** Whether Temporal has the restore, and whether it still runs. Needs no worker. */
  async standing(restoreId: string): Promise<RestoreStanding> {
    try {
      const { status } = await this.#handle(restoreId).describe();
      return status.name === 'RUNNING' ? 'running' : 'ended';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'unknown';
      throw error;
    }
  }

  /**
   * How far a restore is, with what its running tables answer themselves.
   *
   * @throws InputInvalid when Temporal knows no such restore
   */
  async progress(restoreId: string): Promise<RestoreProgress> {
    const restore = await this.#ask(restoreId, () => this.#handle(restoreId).query(progressQuery));
    const running = restore.tables.filter(({ state }) => state !== 'queued' && !isEnded(state));
    const answers = await Promise.all(running.map((table) => this.#tableProgress(table)));
    return mergeProgress(restore, new Map(answers.filter((answer) => answer !== null)), Date.now());
  }

  /**
   * Waits for the end of a restore. A restore that failed or was cancelled has an outcome too.
   *
   * @throws InputInvalid when Temporal knows no such restore, or it was terminated there
   */
  async outcome(restoreId: string): Promise<RestoreOutcome> {
    try {
      return await this.#handle(restoreId).result();
    } catch (error) {
      const outcome = error instanceof WorkflowFailedError ? outcomeOf<RestoreOutcome>(error) : null;
      if (outcome !== null) return outcome;
      // Temporal keeps no result of a cancelled workflow; its last progress says as much.
      if (error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure) {
        const { startTime, closeTime = new Date() } = await this.#handle(restoreId).describe();
        const seconds = (closeTime.getTime() - startTime.getTime()) / 1000;
        return cancelledOutcome(await this.progress(restoreId), seconds);
      }
      if (error instanceof WorkflowFailedError && error.cause instanceof TerminatedFailure) {
        throw lostError(restoreId, terminatedRestore(workflowTypes.restoreAll), error);
      }
      throw restoreError(restoreId, error);
    }
  }

  /** Pauses a restore. @throws InputInvalid with the reason when it refuses */
  async pause(restoreId: string, reason: string | null, now: boolean): Promise<RestoreState> {
    return this.#ask(restoreId, () =>
      this.#handle(restoreId).executeUpdate(pauseUpdate, { args: [{ reason, now }] }),
    );
  }

  /** Goes on with a paused restore. @throws InputInvalid with the reason when it refuses */
  async resume(restoreId: string): Promise<RestoreState> {
    return this.#ask(restoreId, () => this.#handle(restoreId).executeUpdate(resumeUpdate));
  }

  /** Cancels a restore, by Temporal's own cancel where no reason is given, as no worker is needed for that. */
  async cancel(restoreId: string, reason: string | null): Promise<void> {
    const handle = this.#handle(restoreId);
    await this.#ask(restoreId, async () => {
      // Of what has ended, Temporal takes a cancel without a word.
      const { status, runId } = await handle.describe();
      if (status.name !== 'RUNNING')
        throw new WorkflowNotFoundError('it has ended', handle.workflowId, runId);
      if (reason !== null) await handle.signal(cancelSignal, reason);
      await handle.cancel();
    });
  }

  #handle(restoreId: string): WorkflowHandle<typeof restoreAll> {
    return this.#client.workflow.getHandle<typeof restoreAll>(restoreWorkflowId(restoreId));
  }

  /** A table that has just ended or that no worker answers for is shown as its restore knows it. */
  async #tableProgress(table: TableProgress): Promise<[string, TableProgress] | null> {
    try {
      const handle = this.#client.workflow.getHandle(table.workflowId);
      const answer = await this.#inTime(() => handle.query(tableProgressQuery));
      return isEnded(answer.state) ? null : [table.target, answer];
    } catch {
      return null;
    }
  }

  #inTime<T>(question: () => Promise<T>): Promise<T> {
    return this.#client.withDeadline(Date.now() + answerWithinMs, question);
  }

  async #ask<T>(restoreId: string, question: () => Promise<T>): Promise<T> {
    try {
      return await this.#inTime(question);
    } catch (error) {
      throw restoreError(restoreId, error);
    }
  }
}

/** What an error of Temporal's client about a restore means for whoever asked. */
export function restoreError(restoreId: string, error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new ThawError('InputInvalid', `No restore ${restoreId} is running.`, {
      object: restoreId,
      hint: 'See `thaw status` for restores that have ended.',
      cause: error,
    });
  }
  if (error instanceof WorkflowUpdateFailedError) {
    return new ThawError('InputInvalid', error.cause?.message ?? error.message, {
      object: restoreId,
      hint: `Look at it with \`thaw status ${restoreId}\`.`,
      cause: error,
    });
  }
  return error;
}

/** A restore without an outcome, as an error. */
export function lostError(restoreId: string, { code, message, hint }: TableError, cause: unknown): ThawError {
  return new ThawError(code, message, { object: restoreId, hint, cause });
}

/** The workflow of a restore of row archives. */
export function archivesWorkflow(request: RestoreRequest): WorkflowStart {
  return { type: workflowTypes.restoreAll, args: [request], summary: summaryOf(request) };
}

/** What the Temporal UI shows of a restore in lists. */
function summaryOf(request: RestoreRequest): string {
  const tables = request.tables?.map((table) => table.intoTable).join(', ') ?? 'all tables';
  return summaryText(`${request.database} (${request.options.conflictStrategy}): ${tables}`);
}

/** Started and a first task for a worker: a history of two events is one that nobody has looked at. */
const untouchedHistory = 2;

/** How a workflow stands, by what Temporal tells of it. */
export function standingOf(
  status: WorkflowExecutionStatusName,
  historyLength: number,
): RestoreDescription['standing'] {
  switch (status) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
      return historyLength <= untouchedHistory ? 'queued' : 'running';
    case 'COMPLETED':
      return 'completed';
    case 'FAILED':
      return 'failed';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'broken';
  }
}

/** A restore that failed gives its outcome along. */
export function outcomeOf<Outcome>(error: WorkflowFailedError): Outcome | null {
  const cause = error.cause;
  if (!(cause instanceof ApplicationFailure)) return null;
  return (cause.details?.[1] as Outcome | undefined) ?? null;
}

function cancelledOutcome(progress: RestoreProgress, seconds: number): RestoreOutcome {
  return {
    restoreId: progress.restoreId,
    state: 'cancelled',
    database: progress.database,
    tally: progress.tally,
    tables: progress.tables.map(({ target, tally, failures }) => ({
      target,
      tally,
      failures,
      error: null,
      notices: [],
      columnNotes: [],
    })),
    error: null,
    seconds,
  };
}
