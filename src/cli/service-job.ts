import type { Logger } from 'pino';
import { keepSchedule, removeSchedule } from '../client/schedules.ts';
import { serviceFingerprint } from '../config/fingerprint.ts';
import { environmentConfig } from '../config/load-services.ts';
import { serviceScheduleId } from '../contract/names.ts';
import { defaultRestoreOptions } from '../contract/restore-request.ts';
import type { ServiceSettings } from '../dump/service/service-environment.ts';
import { stepLog } from '../step-log.ts';
import { standaloneHeartbeatSeconds } from './durable-job.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { TemporalFlags } from './flags.ts';
import { whenAborted } from './follow.ts';
import { OwnWorker } from './own-worker.ts';
import { type ServiceWork, serviceWork } from './service-work.ts';
import { clusterPlace, openCluster, openStandalone, type Temporal } from './temporal.ts';

/** One `thaw service`. */
export interface ServiceJob {
  readonly settings: ServiceSettings;
  readonly flags: TemporalFlags;
  readonly env: NodeJS.ProcessEnv;
  readonly logger: Logger;
}

/** What names of queues of services begin with. */
const queueOfServices = 'thaw-service-';

/**
 * Does what a service is there for until it is told to stop, or once. Its worker has a queue of its own, so that
 * nobody takes its work who has another configuration; what it had begun when it was stopped goes on when it is
 * started again.
 *
 * @param signal tells it to stop
 */
export async function runService(job: ServiceJob, signal: AbortSignal): Promise<ExitCode> {
  try {
    const temporal = await openTemporal(job, signal);
    try {
      return await serve(job, temporal, signal);
    } finally {
      await temporal.close();
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    return stopped(job.settings);
  }
}

async function openTemporal({ flags, env, logger }: ServiceJob, signal: AbortSignal): Promise<Temporal> {
  const place = clusterPlace(flags, env);
  return place === null ? openStandalone(flags, env, logger, signal) : openCluster(place, env);
}

async function serve(job: ServiceJob, temporal: Temporal, signal: AbortSignal): Promise<ExitCode> {
  const { settings, env, logger } = job;
  const { mode, service, times } = settings;
  const loading = import('../worker.ts');
  const options = {
    config: environmentConfig([service]),
    ...{ env, logger, connection: temporal.options, namespace: temporal.namespace },
    interceptors: [stepLog(logger, service.dumps?.kind === 's3' ? 'S3' : 'the folder')],
  };
  const worker = new OwnWorker(loading, options);
  const others: OwnWorker[] = [];
  const taskQueue = `${queueOfServices}${mode}-${serviceFingerprint(service)}`;
  const workOn = async (queue: string) => {
    // In a cluster it may be that of another container.
    if (temporal.kind === 'cluster' || !queue.startsWith(queueOfServices)) return;
    const other = new OwnWorker(loading, options);
    others.push(other);
    await other.start(queue);
  };
  const heartbeatSeconds =
    temporal.kind === 'standalone' ? standaloneHeartbeatSeconds : defaultRestoreOptions.heartbeatSeconds;
  const place = { client: temporal.client, taskQueue, heartbeatSeconds, logger, workOn };
  const work = serviceWork(settings, place);
  try {
    await worker.start(taskQueue);
    logger.info({ mode, database: service.connection.name, temporal: temporal.address }, 'Service is ready');
    if (times.singleShot) {
      const end = await Promise.race([work.once(signal), worker.gone()]);
      return end ?? stopped(settings);
    }
    await matchSchedule(job, temporal, work);
    if (times.onStartup) void work.once(signal).catch((error: unknown) => tell(logger, error));
    await Promise.race([whenAborted(signal), worker.gone()]);
    logger.info('Service stops');
    return exitCodes.done;
  } finally {
    await Promise.all([worker, ...others].map((one) => one.stop()));
  }
}

/** Makes, changes or removes the schedule, so that it is what the variables say. */
async function matchSchedule(
  { settings, logger }: ServiceJob,
  temporal: Temporal,
  work: ServiceWork,
): Promise<void> {
  const { mode, service, times } = settings;
  const { host, port, name } = service.connection;
  const scheduleId = serviceScheduleId(mode, `${host}:${port}`, name);
  // On a server of our own nobody else has any, and one of another mode or target would wait for a worker for ever.
  if (temporal.kind === 'standalone') {
    for await (const other of temporal.client.schedule.list()) {
      if (other.scheduleId === scheduleId || !other.scheduleId.startsWith(serviceScheduleId())) continue;
      await removeSchedule(temporal.client, other.scheduleId);
    }
  }
  if (times.cron === null) {
    const wasThere = await removeSchedule(temporal.client, scheduleId);
    logger.info(wasThere ? 'The schedule is removed' : 'Nothing is scheduled');
    return;
  }
  const { cron, timeZone } = times;
  const { next } = await keepSchedule(temporal.client, { scheduleId, cron, timeZone, ...work.scheduled });
  logger.info({ cron, timeZone, next: next?.toISOString() ?? null }, 'Scheduled');
}

/** A run that failed does not end the service. */
function tell(logger: Logger, error: unknown): void {
  logger.error({ error }, 'The run at the start failed');
}

function stopped({ times }: ServiceSettings): ExitCode {
  return times.singleShot ? exitCodes.interrupted : exitCodes.done;
}
