import {
  CancelledFailure,
  type Client,
  defaultPayloadConverter,
  TerminatedFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { progressQuery } from '../contract/messages.ts';
import { restoreWorkflowId } from '../contract/names.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { terminatedRestore } from '../restore/lost-restore.ts';
import {
  lostError,
  outcomeOf,
  RestoreClient,
  type RestoreStanding,
  restoreError,
  type WorkflowStart,
} from './restore-client.ts';

/** A question waits this long for Temporal to answer it. */
const answerWithinMs = 10_000;

/** Progress that tells the outcome at the end, as a cancelled workflow has no result. */
type EndingProgress<Outcome> = RestoreProgress & { readonly outcome: Outcome | null };

/**
 * Starts restores of one kind and asks how they go. Their ids are those of all restores, so that {@link RestoreClient}
 * pauses, resumes and cancels them.
 */
export class OutcomeClient<
  Request extends { readonly restoreId: string },
  Outcome,
  Progress extends EndingProgress<Outcome>,
> {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #restores: RestoreClient;
  readonly #workflow: (request: Request) => WorkflowStart;

  /** @param workflow what a request is started as */
  constructor(client: Client, taskQueue: string, workflow: (request: Request) => WorkflowStart) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#restores = new RestoreClient(client, taskQueue);
    this.#workflow = workflow;
  }

  /**
   * Starts a restore; one of the same id that runs already is joined.
   *
   * @returns whether it was started by this call
   */
  async start(request: Request): Promise<boolean> {
    const { type, args, summary } = this.#workflow(request);
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

  /**
   * How far a restore is.
   *
   * @throws InputInvalid when Temporal knows no such restore
   */
  progress(restoreId: string): Promise<Progress> {
    return this.ask(restoreId, (handle) => handle.query<RestoreProgress>(progressQuery) as Promise<Progress>);
  }

  /**
   * Waits for the end of a restore. One that failed or was cancelled has an outcome too.
   *
   * @throws InputInvalid when Temporal knows no such restore, or it was terminated there
   */
  async outcome(restoreId: string): Promise<Outcome> {
    try {
      return (await this.#handle(restoreId).result()) as Outcome;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw restoreError(restoreId, error);
      if (error.cause instanceof TerminatedFailure) {
        throw lostError(restoreId, terminatedRestore(await this.typeOf(restoreId)), error);
      }
      // Temporal keeps no result of a cancelled workflow, but it answers still.
      const isCancelled = error.cause instanceof CancelledFailure;
      const outcome = isCancelled ? (await this.progress(restoreId)).outcome : outcomeOf<Outcome>(error);
      if (outcome === null) throw error;
      return outcome;
    }
  }

  /** The type of the workflow that a restore runs as. Needs no worker. */
  protected async typeOf(restoreId: string): Promise<string> {
    return (await this.ask(restoreId, (handle) => handle.describe())).type;
  }

  /** What the activity under way tells by its heartbeats; null where it tells nothing. */
  protected async heartbeat<T>(restoreId: string): Promise<T | null> {
    try {
      const { raw } = await this.ask(restoreId, (handle) => handle.describe());
      // What is done beside it, such as keeping tables, tells nothing.
      const [payload] =
        raw.pendingActivities?.flatMap(({ heartbeatDetails }) => heartbeatDetails?.payloads ?? []) ?? [];
      return payload ? defaultPayloadConverter.fromPayload<T>(payload) : null;
    } catch {
      // Progress is for the eyes.
      return null;
    }
  }

  /** Asks Temporal for something of a restore, and waits no longer than it takes. */
  protected async ask<T>(restoreId: string, question: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    try {
      return await this.#client.withDeadline(Date.now() + answerWithinMs, () =>
        question(this.#handle(restoreId)),
      );
    } catch (error) {
      throw restoreError(restoreId, error);
    }
  }

  #handle(restoreId: string): WorkflowHandle {
    return this.#client.workflow.getHandle(restoreWorkflowId(restoreId));
  }
}
