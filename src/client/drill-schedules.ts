import { type Client, type ScheduleDescription, ScheduleNotFoundError } from '@temporalio/client';
import type { DrillRequest } from '../contract/drill.ts';
import { drillSchedule, drillScheduleId } from './drill-client.ts';
import { keepSchedule, removeSchedule } from './schedules.ts';

/** Drills of one subject that are done again and again. */
export interface ScheduledDrills {
  readonly request: DrillRequest;
  /** As it was asked for; null of one that was not made by Thaw as it is. */
  readonly cron: string | null;
  readonly timeZone: string;
  /** When the next one begins; null: never. */
  readonly next: Date | null;
  /** Somebody has stopped it in Temporal for the time being. */
  readonly isPaused: boolean;
}

/** The schedules of drills, which Temporal keeps. */
export class DrillSchedules {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Subjects that drills are scheduled of, by name. One that was made this moment may be missing. */
  async subjects(): Promise<string[]> {
    const start = drillScheduleId('');
    const subjects: string[] = [];
    for await (const { scheduleId } of this.#client.schedule.list()) {
      if (scheduleId.startsWith(start)) subjects.push(scheduleId.slice(start.length));
    }
    return subjects.sort();
  }

  /** Those of a subject; null where there are none. */
  async find(subject: string): Promise<ScheduledDrills | null> {
    try {
      return scheduledOf(await this.#client.schedule.getHandle(drillScheduleId(subject)).describe());
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return null;
      throw error;
    }
  }

  /** Makes those of its subject, or changes them to what is asked for. @throws ThawError `InputInvalid` */
  async keep(request: DrillRequest, cron: string, timeZone: string): Promise<void> {
    const when = { cron, timeZone, taskQueue: this.#taskQueue };
    await keepSchedule(this.#client, drillSchedule(request, when));
  }

  /** Takes those of a subject away; a drill that goes on is left alone. */
  async remove(subject: string): Promise<boolean> {
    return removeSchedule(this.#client, drillScheduleId(subject));
  }
}

function scheduledOf({ action, spec, info, state }: ScheduleDescription): ScheduledDrills | null {
  const [request] = (action.args ?? []) as readonly DrillRequest[];
  if (request === undefined) return null;
  const { cron } = action.memo ?? {};
  return {
    request,
    cron: typeof cron === 'string' ? cron : null,
    timeZone: spec.timezone ?? 'UTC',
    next: info.nextActionTimes[0] ?? null,
    isPaused: state.paused,
  };
}
