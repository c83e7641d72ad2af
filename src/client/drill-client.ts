import type { Client } from '@temporalio/client';
import type { DrillProgress, DrillReport, DrillRequest } from '../contract/drill.ts';
import { restoreWorkflowId, workflowTypes } from '../contract/names.ts';
import { summaryText } from '../restore/clip.ts';
import { OutcomeClient } from './outcome-client.ts';
import { RestoreClient, type WorkflowStart } from './restore-client.ts';
import type { CronSchedule } from './schedules.ts';

/** Starts drills and asks how they go. */
export class DrillClient extends OutcomeClient<DrillRequest, DrillReport, DrillProgress> {
  readonly #restores: RestoreClient;

  constructor(client: Client, taskQueue: string) {
    super(client, taskQueue, drillWorkflow);
    this.#restores = new RestoreClient(client, taskQueue);
  }

  /** Whether a restore that Temporal knows is a drill. Needs no worker. */
  async isDrill(restoreId: string): Promise<boolean> {
    return (await this.typeOf(restoreId)) === workflowTypes.drill;
  }

  /** How far a drill is: as far as the restore that it is about. */
  override async progress(drillId: string): Promise<DrillProgress> {
    const own = await super.progress(drillId);
    const { restoring, state, outcome } = own;
    if (restoring === null) return own;
    const restoreId = restoring.slice(restoreWorkflowId('').length);
    const restored = await this.#restores.progress(restoreId).catch(() => own);
    return { ...restored, restoreId: drillId, restoring, state, outcome };
  }
}

/** The workflow of a drill. */
export function drillWorkflow(request: DrillRequest): WorkflowStart {
  const { subject } = request;
  return { type: workflowTypes.drill, args: [request], summary: summaryText(`drill of ${subject}`) };
}

/** The schedule of drills of one subject, which has one of them. */
export function drillSchedule(
  request: DrillRequest,
  when: Pick<CronSchedule, 'cron' | 'timeZone' | 'taskQueue'>,
): CronSchedule {
  const { subject } = request;
  return {
    ...when,
    ...drillWorkflow({ ...request, restoreId: '' }),
    scheduleId: drillScheduleId(subject),
    workflowId: restoreWorkflowId(`drill-${subject}`),
  };
}

/** Id of the schedule of drills of a subject. */
export function drillScheduleId(subject: string): string {
  return `drill/${subject}`;
}
