import { keepSchedule, removeSchedule } from '../client/schedules.ts';
import { snapshotSchedule } from '../client/snapshot-client.ts';
import { toSnapshotRequest } from '../client/snapshot-request.ts';
import { snapshotScheduleId } from '../contract/names.ts';
import { defaultRestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { SnapshotCreateJob } from './snapshot-create-job.ts';
import { clusterPlace, clusterTaskQueue, openCluster } from './temporal.ts';

/** One `thaw snapshot create --cron`, or `--no-cron`. */
export interface SnapshotScheduleJob extends Omit<SnapshotCreateJob, 'logger'> {
  /** False: none any more. */
  readonly cron: string | false;
}

/**
 * Makes, changes or removes the schedule of snapshots of one name.
 *
 * @throws ThawError `InputInvalid` without a name, without a cluster, or for what is no schedule
 */
export async function scheduleSnapshots(job: SnapshotScheduleJob): Promise<ExitCode> {
  const { config, input, flags, cron, env, printer } = job;
  const { name, database } = input;
  if (name === null) throw invalid('--name', '--cron: needs a --name', 'Name the schedule with --name.');
  const place = clusterPlace(flags, env);
  if (place === null) {
    const hint = 'Set TEMPORAL_ADDRESS; without a cluster, let cron run `thaw snapshot create` itself.';
    throw invalid('--cron', '--cron: needs a Temporal cluster, whose workers take the snapshots', hint);
  }
  const temporal = await openCluster(place, env);
  const tell = (line: string, json: object) =>
    printer.line(flags.json === true ? JSON.stringify(json) : `${name}: ${line}`);
  try {
    if (cron === false) {
      const removed = await removeSchedule(temporal.client, snapshotScheduleId(database, name));
      tell(removed ? 'no snapshots are scheduled any more' : 'no snapshots were scheduled', { removed });
      return exitCodes.done;
    }
    const { heartbeatSeconds } = defaultRestoreOptions;
    const request = toSnapshotRequest(config, { ...input, type: 'automated' }, '', heartbeatSeconds);
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const taskQueue = clusterTaskQueue(flags.taskQueue, env);
    const schedule = snapshotSchedule(request, { cron, timeZone, taskQueue });
    const { made, next } = await keepSchedule(temporal.client, schedule);
    const at = next?.toISOString() ?? null;
    const how = made ? 'are scheduled' : 'are scheduled anew';
    tell(`snapshots ${how} (${cron}, ${timeZone}); next at ${at ?? 'no time'}`, {
      ...{ schedule: schedule.scheduleId, next: at },
    });
    return exitCodes.done;
  } finally {
    await temporal.close();
  }
}

function invalid(object: string, message: string, hint: string): ThawError {
  return new ThawError('InputInvalid', message, { object, hint });
}
