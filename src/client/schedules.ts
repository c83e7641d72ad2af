import {
  type Client,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { parseCron } from '../config/cron.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** A workflow that Temporal starts again and again. */
export interface CronSchedule {
  readonly scheduleId: string;
  /** Five or six fields, or `@daily` and the like. */
  readonly cron: string;
  /** Name of the time zone that its hours are of, such as `Europe/Berlin`. */
  readonly timeZone: string;
  readonly type: string;
  readonly args: readonly unknown[];
  /** Each run's id begins with it; Temporal adds the time. */
  readonly workflowId: string;
  readonly taskQueue: string;
  /** What the Temporal UI shows of it. */
  readonly summary: string;
}

/** What was missed while Temporal was down longer is not made up for: a whole day of it would come at once. */
const catchupWindow = '10 minutes';

/**
 * Makes a schedule, or changes it to what is asked for. A run that still goes on lets the next one pass.
 *
 * @returns what was done, and when it runs next
 * @throws ThawError `InputInvalid` for what is no schedule
 */
export async function keepSchedule(
  client: Client,
  schedule: CronSchedule,
): Promise<{ readonly made: boolean; readonly next: Date | null }> {
  const { scheduleId, cron, timeZone, type, args, workflowId, taskQueue, summary } = schedule;
  const options = {
    spec: { cronExpressions: expressionsOf(cron), timezone: timeZone },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow },
    action: {
      type: 'startWorkflow',
      workflowType: type,
      ...{ args: [...args], workflowId, taskQueue },
      // Temporal gives the spec back as it has taken it apart.
      memo: { cron },
      staticSummary: summary,
    },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>;
  const handle = client.schedule.getHandle(scheduleId);
  const made = !(await exists(client, scheduleId));
  if (made) await client.schedule.create({ scheduleId, ...options });
  else await handle.update((present) => ({ ...options, state: present.state }));
  const { info } = await handle.describe();
  return { made, next: info.nextActionTimes[0] ?? null };
}

/** Takes a schedule away; tells whether there was one. */
export async function removeSchedule(client: Client, scheduleId: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(scheduleId).delete();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

/** @throws ThawError `InputInvalid` */
function expressionsOf(cron: string): string[] {
  const parsed = parseCron(cron);
  if (typeof parsed !== 'string') return [...parsed.expressions];
  throw new ThawError('InputInvalid', `${cron} is no schedule`, {
    object: cron,
    hint: `It ${parsed}; such as 30 4 * * 0.`,
  });
}

async function exists(client: Client, scheduleId: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(scheduleId).describe();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}
