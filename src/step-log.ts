import { Context } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { BackupOutcome, BackupRequest } from './contract/backup-request.ts';
import type {
  DumpActivities,
  DumpLoad,
  DumpPlan,
  DumpProof,
  DumpReport,
} from './contract/dump-activities.ts';

type InputOf<Name extends keyof DumpActivities> = Parameters<DumpActivities[Name]>[0];

/** What is said when a step begins, and when it has ended well. */
interface StepLines {
  readonly begin?: (log: Logger, input: never) => void;
  readonly end?: (log: Logger, input: never, result: never, seconds: number) => void;
}

/**
 * Says in a log what the steps of restores and backups of dumps do, as a service that nobody watches has to.
 *
 * @param place where the dumps lie: `S3`, or `the folder`
 */
export function stepLog(logger: Logger, place: string): ActivityInboundCallsInterceptor {
  const steps = stepsOf(place);
  return {
    async execute(input, next) {
      const { activityType, attempt } = Context.current().info;
      const step = steps[activityType];
      const [asked] = input.args as [never];
      const begun = performance.now();
      step?.begin?.(logger, asked);
      try {
        const result = (await next(input)) as never;
        step?.end?.(logger, asked, result, (performance.now() - begun) / 1000);
        return result;
      } catch (error) {
        if (step !== undefined) logger.warn({ attempt, error }, `${activityType} failed`);
        throw error;
      }
    },
  };
}

function stepsOf(place: string): Readonly<Record<string, StepLines>> {
  return {
    chooseDump: {
      end: (log, { restoreId }: InputOf<'chooseDump'>, { candidates, notices }: DumpPlan) => {
        const [dump] = candidates;
        const { key, bytes, takenAt } = dump ?? {};
        log.info({ restoreId, key, bytes, takenAt }, 'Chosen dump');
        for (const notice of notices) log.warn({ restoreId }, notice);
      },
    },
    proveDump: {
      begin: (log, { request: { restoreId }, dump: { key, bytes } }: InputOf<'proveDump'>) =>
        log.info({ restoreId, key, bytes }, `Downloading from ${place}...`),
      end: (log, { request: { restoreId } }: InputOf<'proveDump'>, proof: DumpProof, seconds) => {
        const { dump, format, rows, serverVersion, notices } = proof;
        const { key, bytes } = dump;
        log.info({ restoreId, key, bytes, seconds, format, rows, serverVersion }, 'The dump is good');
        for (const notice of notices) log.warn({ restoreId }, notice);
      },
    },
    loadDump: {
      begin: (log, { request, proof }: InputOf<'loadDump'>) => {
        const { restoreId, database, mode } = request;
        const { key, bytes } = proof.dump;
        log.info({ restoreId, key, bytes, database, mode }, 'Restoring to DB...');
      },
      end: (log, { request: { restoreId }, proof }: InputOf<'loadDump'>, load: DumpLoad, seconds) => {
        const { key, bytes } = proof.dump;
        log.info({ restoreId, key, bytes, database: load.database, seconds }, 'Restored to DB');
        for (const line of load.warnings) log.warn({ restoreId }, `pg_restore: ${line}`);
      },
    },
    verifyDump: {
      begin: (log, { request: { restoreId } }: InputOf<'verifyDump'>) =>
        log.info({ restoreId }, 'Verifying...'),
      end: (log, { request: { restoreId } }: InputOf<'verifyDump'>, report: DumpReport, seconds) => {
        const { outcome, checks } = report;
        log.info({ restoreId, seconds, outcome }, 'Verified');
        for (const check of checks.filter((one) => one.outcome !== 'passed')) {
          log.warn({ restoreId, check: check.name, outcome: check.outcome }, check.detail);
        }
      },
    },
    recordDump: {
      begin: (log, { request: { restoreId, database }, outcome }: InputOf<'recordDump'>) => {
        if (outcome === null) return;
        const { state, error, seconds, dump } = outcome;
        const fields = { restoreId, database, key: dump?.key, seconds };
        if (state === 'completed') log.info(fields, 'Restore completed');
        else {
          const told = error && { error: { type: error.code, message: error.message }, hint: error.hint };
          log.error({ ...fields, ...told }, state === 'failed' ? 'Restore failed' : 'Restore cancelled');
        }
      },
    },
    backUpDatabase: {
      begin: (log, { database, server, format }: BackupRequest) =>
        log.info({ database, server, format }, `Dumping DB to ${place}...`),
      end: (log, { database }: BackupRequest, outcome: BackupOutcome) => {
        const { warnings, ...told } = outcome;
        log.info({ database, ...told }, 'Backup completed');
        for (const line of warnings) log.warn({ database }, `pg_dump: ${line}`);
      },
    },
  };
}
