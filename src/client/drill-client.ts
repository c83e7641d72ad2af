import {
  CancelledFailure,
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import type { drill } from '../../workflows/drill.ts';
import type { DrillProgress, DrillReport, DrillRequest } from '../contract/drill.ts';
import { progressQuery } from '../contract/messages.ts';
import { restoreWorkflowId, workflowTypes } from '../contract/names.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { summaryText } from '../restore/clip.ts';
import { outcomeOf, RestoreClient, type RestoreStanding, restoreError } from './restore-client.ts';
import type { CronSchedule } from './schedules.ts';

/**
 * Starts drills and asks how they go. Their ids are those of restores, so that {@link RestoreClient} pauses, resumes
 * and cancels them.
 */
export class DrillClient {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #restores: RestoreClient;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#restores = new RestoreClient(client, taskQueue);
  }

  /**
   * Starts a drill; one of the same id that runs already is joined.
   *
   * @returns whether it was started by this call
   */
  async start(request: DrillRequest): Promise<boolean> {
    try {
      await this.#client.workflow.start<typeof drill>(workflowTypes.drill, {
        taskQueue: this.#taskQueue,
        workflowId: restoreWorkflowId(request.restoreId),
        args: [request],
        staticSummary: summaryOf(request),
      });
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** Whether Temporal has the drill, and whether it still runs. Needs no worker. */
  standing(drillId: string): Promise<RestoreStanding> {
    return this.#restores.standing(drillId);
  }

  /** Whether a restore that Temporal knows is a drill. Needs no worker. */
  async isDrill(restoreId: string): Promise<boolean> {
    try {
      const { type } = await this.#handle(restoreId).describe();
      return type === workflowTypes.drill;
    } catch (error) {
      throw restoreError(restoreId, error);
    }
  }

  /**
   * How far a drill is: as far as the restore that it is about.
   *
   * @throws InputInvalid when Temporal knows no such drill
   */
  async progress(drillId: string): Promise<RestoreProgress> {
    const own = await this.#own(drillId);
    if (own.restoring === null) return own;
    const restoreId = own.restoring.slice(restoreWorkflowId('').length);
    const { restoreId: _, ...restored } = await this.#restores.progress(restoreId).catch(() => own);
    return { ...restored, restoreId: drillId, state: own.state };
  }

  /**
   * Waits for the end of a drill. One that failed or was cancelled has a report too.
   *
   * @throws InputInvalid when Temporal knows no such drill
   */
  async outcome(drillId: string): Promise<DrillReport> {
    try {
      return await this.#handle(drillId).result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw restoreError(drillId, error);
      // Temporal keeps no result of a cancelled workflow, but it answers still.
      const isCancelled = error.cause instanceof CancelledFailure;
      const report = isCancelled ? (await this.#own(drillId)).report : outcomeOf<DrillReport>(error);
      if (report === null) throw error;
      return report;
    }
  }

  async #own(drillId: string): Promise<DrillProgress> {
    try {
      return (await this.#handle(drillId).query(progressQuery)) as DrillProgress;
    } catch (error) {
      throw restoreError(drillId, error);
    }
  }

  #handle(drillId: string): WorkflowHandle<typeof drill> {
    return this.#client.workflow.getHandle<typeof drill>(restoreWorkflowId(drillId));
  }
}

/** The schedule of drills of one subject, which has one of them. */
export function drillSchedule(
  request: DrillRequest,
  when: Pick<CronSchedule, 'cron' | 'timeZone' | 'taskQueue'>,
): CronSchedule {
  return {
    ...when,
    scheduleId: drillScheduleId(request.subject),
    type: workflowTypes.drill,
    args: [{ ...request, restoreId: '' }],
    workflowId: restoreWorkflowId(`drill-${request.subject}`),
    summary: summaryOf(request),
  };
}

/** Id of the schedule of drills of a subject. */
export function drillScheduleId(subject: string): string {
  return `drill/${subject}`;
}

function summaryOf({ subject }: DrillRequest): string {
  return summaryText(`drill of ${subject}`);
}
