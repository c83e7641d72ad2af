import { type Command, InvalidArgumentError, Option } from 'commander';
import { DrillClient, drillSchedule, drillScheduleId } from '../client/drill-client.ts';
import { type DrillInput, rehearsedDump, toDrillRequest } from '../client/drill-request.ts';
import { keepSchedule, removeSchedule } from '../client/schedules.ts';
import { parseSeconds } from '../config/duration.ts';
import { loadServices } from '../config/load-services.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DrillReport, DrillRequest } from '../contract/drill.ts';
import { defaultRestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { beforeTime } from './before-time.ts';
import type { CommandContext } from './context.ts';
import { drillExitCode, drillLines } from './drill-lines.ts';
import { runDurableJob } from './durable-job.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import {
  collect,
  type LogFlags,
  logSettings,
  type TemporalFlags,
  wholeNumber,
  withConfig,
  withLog,
  withTemporal,
} from './flags.ts';
import { createLogger } from './logger.ts';
import { clusterPlace, clusterTaskQueue, openCluster } from './temporal.ts';

/** The flags of `thaw drill`. */
interface DrillFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly before?: string;
  readonly fallback: number;
  readonly archives?: string;
  readonly table?: readonly string[];
  readonly restoreOptions?: string;
  readonly allowErrors?: boolean;
  readonly check?: readonly string[];
  readonly rto?: number;
  readonly rpo?: number;
  /** False: --no-cron. */
  readonly cron?: string | false;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly taskQueue?: string;
}

const examples = `
Examples:
  The newest dump of a service, into a database that is dropped afterwards:
    thaw drill argus --rto 30m --rpo 24h --check "select count(*) > 0 from users"
  The archives of a table, into a schema that is dropped afterwards:
    thaw drill --archives production_db --table audit_logs
  Every Sunday at half past four, by the workers of a cluster; and no more:
    thaw drill argus --rto 30m --rpo 24h --cron "30 4 * * 0"
    thaw drill argus --no-cron

It restores as in earnest, verifies, measures how long that took and how old the backup was, drops what it made
and keeps the report: \`thaw drills\` shows them. One that fails, is inconclusive or misses an objective is told to
THAW_WEBHOOK_URL of the worker's environment.

Exit codes: 0 verified, objectives met; 1 inconclusive: the drill could not be done; 2 verified, but an objective
is missed; 3 failed: the backup is not good; 130 interrupted or cancelled.`;

/** `thaw drill`: rehearses a restore. */
export function addDrillCommand(program: Command, context: CommandContext): void {
  const command = withConfig(program.command('drill'))
    .argument('[service]', 'service whose newest dump is restored (default: the only one)')
    .summary('rehearse a restore, and measure it')
    .description(
      'Restores a backup into a scratch place, verifies it, measures RTO and RPO, and drops it again.',
    )
    .optionsGroup('What:')
    .option('--before <time>', 'the newest dump that is not later; a day alone is included', beforeTime)
    .addOption(
      new Option('--fallback <n>', 'where a dump is not good, so many earlier ones are tried')
        .argParser(wholeNumber(1000))
        .default(0),
    )
    .option('--archives <database>', 'the row archives of this database, in place of a dump')
    .option('--table <table>', 'table of --archives; repeatable (default: all that are configured)', collect)
    .optionsGroup('How:')
    .option('--restore-options <options>', 'further options of pg_restore, in one word (RESTORE_OPTIONS)')
    .option('--allow-errors', 'errors that pg_restore passes over are no failure')
    .option('--check <sql>', 'statement that must give true after the load; repeatable', collect)
    .option('--rto <time>', 'objective of the recovery time, such as 30m', seconds)
    .option('--rpo <time>', 'objective of the age of the backup, such as 24h', seconds)
    .option('--cron <expression>', 'do it again and again, by the workers of a cluster')
    .option('--no-cron', 'take the schedule of it away')
    .option('--json', 'print one JSON object and nothing else')
    .option('--detach', 'start it in the cluster and do not wait for its end')
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)')
    .optionsGroup('Temporal and log:');
  withTemporal(command);
  withLog(command, 'warning')
    .addHelpText('after', examples)
    .action(async (service: string | undefined, flags: DrillFlags) => {
      const config = await loadServices(flags.config, context.env);
      context.end(await runDrill(drillInputOf(service ?? null, flags, context.env), config, flags, context));
    });
}

async function runDrill(
  input: DrillInput,
  config: ThawConfig,
  flags: DrillFlags,
  { env, printer }: CommandContext,
): Promise<ExitCode> {
  const objectives = { rtoSeconds: flags.rto ?? null, rpoSeconds: flags.rpo ?? null };
  const request = (drillId: string, heartbeatSeconds: number) =>
    toDrillRequest(input, objectives, config, drillId, heartbeatSeconds);
  if (flags.cron !== undefined) {
    return scheduleDrill(request('', defaultRestoreOptions.heartbeatSeconds), flags, { env, printer });
  }
  return runDurableJob<DrillRequest, DrillReport>({
    ...{ config, flags, env, printer, request },
    logger: createLogger(logSettings(flags, 'warning'), printer, true),
    client: (temporal, taskQueue) => new DrillClient(temporal.client, taskQueue),
    clear: async () => {},
    notes: [],
    again: 'is begun again, as Temporal has lost it',
    cancelling: 'the scratch place is dropped.',
    tellEnd: (report) => {
      if (flags.json === true) printer.line(JSON.stringify(report));
      else for (const line of drillLines(report)) printer.line(line);
      return drillExitCode(report);
    },
  });
}

/** Makes, changes or removes the schedule of drills of one subject. */
async function scheduleDrill(
  request: DrillRequest,
  flags: DrillFlags,
  { env, printer }: Pick<CommandContext, 'env' | 'printer'>,
): Promise<ExitCode> {
  const place = clusterPlace(flags, env);
  if (place === null) {
    throw new ThawError('InputInvalid', '--cron: needs a Temporal cluster, whose workers do the drills', {
      object: '--cron',
      hint: 'Set TEMPORAL_ADDRESS; without a cluster, let cron run `thaw drill` itself.',
    });
  }
  const temporal = await openCluster(place, env);
  try {
    const { subject } = request;
    if (flags.cron === false || flags.cron === undefined) {
      const wasThere = await removeSchedule(temporal.client, drillScheduleId(subject));
      tell(`${subject}: ${wasThere ? 'no drills are scheduled any more' : 'no drills were scheduled'}`, {
        removed: wasThere,
      });
      return exitCodes.done;
    }
    const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const taskQueue = clusterTaskQueue(flags.taskQueue, env);
    const schedule = drillSchedule(request, { cron: flags.cron, timeZone, taskQueue });
    const { made, next } = await keepSchedule(temporal.client, schedule);
    const when = next === null ? 'never' : next.toISOString();
    tell(
      `${subject}: drills ${made ? 'are scheduled' : 'are scheduled anew'} (${flags.cron}, ${timeZone}); next at ${when}`,
      {
        schedule: schedule.scheduleId,
        next: next?.toISOString() ?? null,
      },
    );
    return exitCodes.done;
  } finally {
    await temporal.close();
  }

  function tell(line: string, json: object): void {
    printer.line(flags.json === true ? JSON.stringify(json) : line);
  }
}

function drillInputOf(service: string | null, flags: DrillFlags, env: NodeJS.ProcessEnv): DrillInput {
  const { archives, table, before } = flags;
  if (archives === undefined) {
    if (table !== undefined)
      throw invalid('--table', 'belongs to --archives', 'Name the database of the archives.');
    return {
      kind: 'dump',
      dump: rehearsedDump({
        ...{ service, before: before ?? null, fallback: flags.fallback },
        restoreOptions: flags.restoreOptions ?? env.RESTORE_OPTIONS ?? '',
        allowErrors: flags.allowErrors === true,
        checks: flags.check ?? [],
      }),
    };
  }
  const ofDumps = [
    ...(service === null ? [] : [service]),
    ...(before === undefined ? [] : ['--before']),
    ...(flags.fallback === 0 ? [] : ['--fallback']),
    ...(flags.check === undefined ? [] : ['--check']),
    ...(flags.restoreOptions === undefined ? [] : ['--restore-options']),
    ...(flags.allowErrors === true ? ['--allow-errors'] : []),
  ];
  const [first] = ofDumps;
  if (first !== undefined) {
    throw invalid(first, 'is for dumps, and not for --archives', 'Leave one of them out.');
  }
  return { kind: 'archives', database: archives, tables: table ?? null };
}

function seconds(text: string): number {
  const found = parseSeconds(text);
  if (found !== null) return found;
  throw new InvalidArgumentError('It must be a time such as 90s, 30m, 24h or 7d.');
}

function invalid(what: string, fault: string, hint: string): ThawError {
  return new ThawError('InputInvalid', `${what}: ${fault}`, { object: what, hint });
}
