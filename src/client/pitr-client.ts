import {
  CancelledFailure,
  type Client,
  defaultPayloadConverter,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import type { restorePitr } from '../../workflows/restore-pitr.ts';
import { restoreWorkflowId, workflowTypes } from '../contract/names.ts';
import type { PitrHeartbeat, PitrOutcome, PitrProgress, PitrRequest } from '../contract/pitr.ts';
import { summaryText } from '../restore/clip.ts';
import { targetText } from '../restore/pitr-progress.ts';
import { outcomeOf, RestoreClient, type RestoreStanding, restoreError } from './restore-client.ts';

/**
 * Starts recoveries and asks how they go. Their ids are those of all restores, so that {@link RestoreClient} pauses,
 * resumes and cancels them.
 */
export class PitrClient {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #restores: RestoreClient;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#restores = new RestoreClient(client, taskQueue);
  }

  /**
   * Starts a recovery; one of the same id that runs already is joined.
   *
   * @returns whether it was started by this call
   */
  async start(request: PitrRequest): Promise<boolean> {
    try {
      await this.#client.workflow.start<typeof restorePitr>(workflowTypes.restorePitr, {
        taskQueue: this.#taskQueue,
        workflowId: restoreWorkflowId(request.restoreId),
        args: [request],
        staticSummary: summaryText(`${request.base} to ${targetText(request.target)} in ${request.into}`),
      });
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** Whether Temporal has the recovery, and whether it still runs. Needs no worker. */
  standing(restoreId: string): Promise<RestoreStanding> {
    return this.#restores.standing(restoreId);
  }

  /** Whether a restore that Temporal knows is a recovery. Needs no worker. */
  async isPitr(restoreId: string): Promise<boolean> {
    try {
      const { type } = await this.#handle(restoreId).describe();
      return type === workflowTypes.restorePitr;
    } catch (error) {
      throw restoreError(restoreId, error);
    }
  }

  /**
   * How far a recovery is.
   *
   * @throws InputInvalid when Temporal knows no such recovery
   */
  async progress(restoreId: string): Promise<PitrProgress> {
    const progress = (await this.#restores.progress(restoreId)) as PitrProgress;
    return { ...progress, now: await this.#now(restoreId) };
  }

  /**
   * Waits for the end of a recovery. One that failed or was cancelled has an outcome too.
   *
   * @throws InputInvalid when Temporal knows no such recovery
   */
  async outcome(restoreId: string): Promise<PitrOutcome> {
    try {
      return await this.#handle(restoreId).result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw restoreError(restoreId, error);
      // Temporal keeps no result of a cancelled workflow, but it answers still.
      const isCancelled = error.cause instanceof CancelledFailure;
      const outcome = isCancelled ? (await this.progress(restoreId)).outcome : outcomeOf<PitrOutcome>(error);
      if (outcome === null) throw error;
      return outcome;
    }
  }

  async #now(restoreId: string): Promise<PitrHeartbeat | null> {
    try {
      const { raw } = await this.#handle(restoreId).describe();
      const [payload] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
      return payload ? defaultPayloadConverter.fromPayload<PitrHeartbeat>(payload) : null;
    } catch {
      // Progress is for the eyes.
      return null;
    }
  }

  #handle(restoreId: string): WorkflowHandle<typeof restorePitr> {
    return this.#client.workflow.getHandle<typeof restorePitr>(restoreWorkflowId(restoreId));
  }
}
