import {
  CancelledFailure,
  type Client,
  defaultPayloadConverter,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import type { restoreDump } from '../../workflows/restore-dump.ts';
import type { DumpOutcome, DumpProgress } from '../contract/dump-activities.ts';
import type { DumpChoice, DumpRequest } from '../contract/dump-request.ts';
import { restoreWorkflowId, workflowTypes } from '../contract/names.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { summaryText } from '../restore/clip.ts';
import {
  outcomeOf,
  RestoreClient,
  type RestoreStanding,
  restoreError,
  type WorkflowStart,
} from './restore-client.ts';

/** A question waits this long for Temporal to answer it. */
const answerWithinMs = 10_000;

/**
 * Starts restores of dumps and asks how they go. Their ids are those of all restores, so that {@link RestoreClient}
 * pauses, resumes and cancels them.
 */
export class DumpClient {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #restores: RestoreClient;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#restores = new RestoreClient(client, taskQueue);
  }

  /**
   * Starts a restore; one of the same id that runs already is joined.
   *
   * @returns whether it was started by this call
   */
  async start(request: DumpRequest): Promise<boolean> {
    const { type, args, summary } = dumpWorkflow(request);
    try {
      await this.#client.withDeadline(Date.now() + answerWithinMs, () =>
        this.#client.workflow.start(type, {
          taskQueue: this.#taskQueue,
          workflowId: restoreWorkflowId(request.restoreId),
          args: [...args],
          staticSummary: summary,
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** Whether Temporal has the restore, and whether it still runs. Needs no worker. */
  standing(restoreId: string): Promise<RestoreStanding> {
    return this.#restores.standing(restoreId);
  }

  /** Whether a restore that Temporal knows is one of a dump. Needs no worker. */
  async isDump(restoreId: string): Promise<boolean> {
    const { type } = await this.#ask(restoreId, () => this.#handle(restoreId).describe());
    return type === workflowTypes.restoreDump;
  }

  /**
   * How far a restore is.
   *
   * @throws InputInvalid when Temporal knows no such restore
   */
  async progress(restoreId: string): Promise<DumpProgress> {
    const progress: RestoreProgress = await this.#restores.progress(restoreId);
    const dump = progress as DumpProgress;
    if (dump.step !== 'prove' && dump.step !== 'load') return dump;
    const done = await this.#bytesDone(restoreId);
    return done === null ? dump : { ...dump, bytes: { ...dump.bytes, done } };
  }

  /** What the activity under way has read of the dump, by its heartbeats; null where it tells nothing. */
  async #bytesDone(restoreId: string): Promise<number | null> {
    try {
      const { raw } = await this.#ask(restoreId, () => this.#handle(restoreId).describe());
      const [payload] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
      const told = payload ? defaultPayloadConverter.fromPayload<{ readonly bytes?: number }>(payload) : null;
      return told?.bytes ?? null;
    } catch {
      // Progress is for the eyes.
      return null;
    }
  }

  /**
   * Waits for the end of a restore. One that failed or was cancelled has an outcome too.
   *
   * @throws InputInvalid when Temporal knows no such restore
   */
  async outcome(restoreId: string): Promise<DumpOutcome> {
    try {
      return await this.#handle(restoreId).result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw restoreError(restoreId, error);
      // Temporal keeps no result of a cancelled workflow, but it answers still.
      const isCancelled = error.cause instanceof CancelledFailure;
      const outcome = isCancelled ? (await this.progress(restoreId)).outcome : outcomeOf<DumpOutcome>(error);
      if (outcome === null) throw error;
      return outcome;
    }
  }

  #handle(restoreId: string): WorkflowHandle<typeof restoreDump> {
    return this.#client.workflow.getHandle<typeof restoreDump>(restoreWorkflowId(restoreId));
  }

  async #ask<T>(restoreId: string, question: () => Promise<T>): Promise<T> {
    try {
      return await this.#client.withDeadline(Date.now() + answerWithinMs, question);
    } catch (error) {
      throw restoreError(restoreId, error);
    }
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
