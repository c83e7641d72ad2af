import { setTimeout as delay } from 'node:timers/promises';
import { type ScheduleHandle, ScheduleOverlapPolicy } from '@temporalio/client';

/**
 * Starts what a schedule starts, once, even where the schedule has not heard yet that the run before has ended.
 *
 * Temporal names runs by the second in which they were asked for, and drops the second of two in one second without a
 * word; so this waits for another second than that of the last.
 */
export async function triggerNow(schedule: ScheduleHandle): Promise<void> {
  const { info } = await schedule.describe();
  const last = secondOf(info.recentActions.at(-1)?.scheduledAt.getTime() ?? 0);
  while (secondOf(Date.now()) <= last) await delay(10);
  await schedule.trigger(ScheduleOverlapPolicy.ALLOW_ALL);
}

function secondOf(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
