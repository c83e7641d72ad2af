import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { BackupClient, backupWorkflow, toBackupRequest } from '../client/backup-client.ts';
import { DumpClient, dumpWorkflow } from '../client/dump-client.ts';
import { defaultKeepOldSeconds, toDumpRequest } from '../client/dump-input.ts';
import { newRestoreId } from '../client/restore-id.ts';
import { runningRestore } from '../client/running-restore.ts';
import type { CronSchedule } from '../client/schedules.ts';
import { environmentConfig } from '../config/load-services.ts';
import { type DumpRequest, wholeDump } from '../contract/dump-request.ts';
import { backupWorkflowId, restoreWorkflowId } from '../contract/names.ts';
import type {
  BackupSettings,
  RestoreSettings,
  ServiceSettings,
} from '../dump/service/service-environment.ts';
import { dumpExitCode } from './dump-lines.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { followRestore, whenAborted } from './follow.ts';
import type { ProgressView } from './progress-view.ts';

/** What a service works with. */
export interface ServicePlace {
  readonly client: Client;
  /** Its own. */
  readonly taskQueue: string;
  readonly heartbeatSeconds: number;
  readonly logger: Logger;
  /** Sees to it that somebody works on the queue of a service that there is no more. */
  workOn(taskQueue: string): Promise<void>;
}

/** What a service does. */
export interface ServiceWork {
  /**
   * Does it now, or joins it where it goes on already.
   *
   * @returns how a command ends after it; null when the signal ended the wait: it goes on when a worker comes back
   */
  once(signal: AbortSignal): Promise<ExitCode | null>;
  /** What a schedule starts. */
  readonly scheduled: Omit<CronSchedule, 'scheduleId' | 'cron' | 'timeZone'>;
}

/** @throws ThawError `InputInvalid`, as readers of variables have not let through */
export function serviceWork(settings: ServiceSettings, place: ServicePlace): ServiceWork {
  return settings.mode === 'restore' ? restoring(settings, place) : backingUp(settings, place);
}

function backingUp({ service, backup }: BackupSettings, place: ServicePlace): ServiceWork {
  const { client, taskQueue, heartbeatSeconds } = place;
  const request = toBackupRequest(service, backup, heartbeatSeconds);
  const workflowId = backupWorkflowId(request);
  const backups = new BackupClient(client, taskQueue);
  return {
    once: async (signal) => {
      const made = backups.make(request).then(() => exitCodes.done);
      return Promise.race([made, whenAborted(signal)]);
    },
    scheduled: { ...backupWorkflow(request), workflowId, taskQueue },
  };
}

function restoring(settings: RestoreSettings, place: ServicePlace): ServiceWork {
  const { client, taskQueue, logger } = place;
  const request = requestOf(settings, place, '');
  const target = { server: request.server, database: request.database, taskQueue };
  return {
    once: async (signal) => {
      const dumps = new DumpClient(client, taskQueue);
      const silence = 'Nobody works on the restore: is its worker running?';
      const follow = (restoreId: string) =>
        followRestore(dumps, restoreId, { view: quietView(logger), silence, signal });
      const running = await runningRestore(client, target);
      if (running !== null && running.taskQueue !== taskQueue) {
        logger.info({ restoreId: running.restoreId }, 'Waiting for a restore that others asked for');
        await place.workOn(running.taskQueue);
        if ((await follow(running.restoreId)) === null) return null;
      }
      const joined = running?.taskQueue === taskQueue ? running.restoreId : null;
      const restoreId = joined ?? newRestoreId();
      if (joined === null) await dumps.start(requestOf(settings, place, restoreId));
      else logger.info({ restoreId }, 'Joining the restore that goes on');
      const outcome = await follow(restoreId);
      return outcome === null ? null : dumpExitCode(outcome);
    },
    scheduled: { ...dumpWorkflow(request), workflowId: scheduledId(request), taskQueue },
  };
}

function requestOf(
  { service, key, options }: RestoreSettings,
  { heartbeatSeconds }: ServicePlace,
  restoreId: string,
): DumpRequest {
  const input = {
    ...{ service: null, choice: key === null ? latest : ({ kind: 'key', key } as const) },
    // As the dump design has it: pg_restore into the database that is there.
    ...{ mode: 'into-existing' as const, into: null, create: false, owner: null, part: wholeDump },
    ...{ restoreOptions: options, fallback: 0, keepOldSeconds: defaultKeepOldSeconds, jobs: null },
    ...{ allowErrors: false, checks: [], checkUrls: [] },
  };
  return toDumpRequest(input, environmentConfig([service]), restoreId, heartbeatSeconds);
}

const latest = { kind: 'latest', before: null } as const;

/** Temporal puts the time behind it. */
function scheduledId({ fingerprint }: DumpRequest): string {
  return restoreWorkflowId(`cron-${fingerprint.slice(0, 8)}`);
}

/** The log tells the steps; all that is left to say is what hinders them. */
function quietView(logger: Logger): ProgressView {
  return { show: () => {}, say: (line) => logger.warn(line), stop: () => {} };
}
