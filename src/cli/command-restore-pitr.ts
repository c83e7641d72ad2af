import { type Command, InvalidArgumentError, Option } from 'commander';
import { targetTime, toPitrRequest } from '../client/pitr-input.ts';
import { loadForPlaces } from '../config/load-services.ts';
import type { PitrOutcome, PitrRequest, RecoveryTarget } from '../contract/pitr.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { CommandContext } from './context.ts';
import { runDurableJob } from './durable-job.ts';
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
import { pitrExitCode, pitrLines } from './pitr-lines.ts';
import { recoveriesOf } from './temporal.ts';

/** The flags of `thaw restore-pitr`. */
interface PitrFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly base: string;
  readonly wal: string;
  readonly into: string;
  readonly targetTime?: RecoveryTarget;
  readonly targetLsn?: RecoveryTarget;
  readonly targetXid?: RecoveryTarget;
  readonly targetName?: RecoveryTarget;
  readonly latest?: boolean;
  readonly targetTimeline: string;
  readonly exclusive?: boolean;
  readonly port?: number;
  readonly user: string;
  readonly database: string;
  readonly check?: readonly string[];
  readonly stop?: boolean;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly taskQueue?: string;
}

const examples = `
Examples:
  To the moment before somebody dropped a table, and have a look:
    thaw restore-pitr --base /archive/base/2026-01-04 --wal /archive/wal \\
      --target-time "2026-01-04 09:59:30+00" --into /var/lib/postgresql/recovered
  From a bucket of the configured object store, all that is archived; checked, then stopped:
    thaw restore-pitr --config config.yaml --base s3://backups/base/2026-01-04 --wal s3://backups/wal \\
      --latest --into /data/recovered --check "select max(id) > 1000 from orders" --database shop --stop
  Up to, and without, a transaction; or to a named restore point:
    thaw restore-pitr --base base --wal wal --target-xid 741 --exclusive --into recovered
    thaw restore-pitr --base base --wal wal --target-name before_migration --into recovered

The base backup is what pg_basebackup makes, plain or tar; the WAL what archive_command or pg_receivewal
brought, bare, .gz or .zst. It is unpacked into the new folder, compared with its manifest, recovered there by
the PostgreSQL programs of its own major version (PG_BIN, PATH, folders of distributions), promoted and verified.
The cluster that was backed up, and its archive, are not touched. A failure or a cancel leaves nothing behind.
Paths are of the machine of the worker; in a cluster of several, name its own --task-queue.

Exit codes: 0 recovered, or accepted with --detach; 1 could not start, or failed; 3 base backup or WAL are not good,
or what came back is not what was expected; 130 interrupted or cancelled.

Killed at any moment, the same command goes on where it was.`;

/** `thaw restore-pitr`: recovers a cluster to a point in time. */
export function addRestorePitrCommand(program: Command, context: CommandContext): void {
  const command = withConfig(program.command('restore-pitr'))
    .summary('recover a cluster to a point in time')
    .description('Recovers a whole cluster from a base backup and archived WAL, in a new folder.')
    .optionsGroup('From where:')
    .requiredOption('--base <place>', 'base backup: a folder, or s3://bucket/prefix')
    .requiredOption('--wal <place>', 'archived WAL: a folder, or s3://bucket/prefix')
    .optionsGroup('To where (one of them):')
    .addOption(target('--target-time <time>', 'a time such as "2026-01-04 09:59:30+00"', timeOf))
    .addOption(target('--target-lsn <lsn>', 'a position in the WAL, such as 0/3000060', lsnOf))
    .addOption(target('--target-xid <xid>', 'a transaction', xidOf))
    .addOption(target('--target-name <name>', 'a point made by pg_create_restore_point', nameOf))
    .option('--latest', 'the end of the archived WAL')
    .option('--exclusive', 'stop before what the target names, in place of after it')
    .option(
      '--target-timeline <timeline>',
      'latest, current (that of the backup) or a number',
      timelineOf,
      'latest',
    )
    .optionsGroup('The new cluster:')
    .requiredOption('--into <folder>', 'new folder; the cluster itself is FOLDER/data')
    .option('--port <port>', 'port on localhost (default: any that is free)', wholeNumber(65_535))
    .option('--user <role>', 'superuser who verifies', 'postgres')
    .option('--check <sql>', 'statement that must give true; repeatable', collect)
    .option('--database <name>', 'database that --check is asked in', 'postgres')
    .addOption(new Option('--keep-running', 'leave the server running (default)').conflicts('stop'))
    .option('--stop', 'stop the server once it is verified')
    .option('--json', 'print one JSON object and nothing else')
    .option('--detach', 'start it in the cluster and do not wait for its end')
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)')
    .optionsGroup('Temporal and log:');
  withTemporal(command);
  withLog(command, 'warning')
    .addHelpText('after', examples)
    .action(async (flags: PitrFlags) => {
      const { env, printer } = context;
      const config = await loadForPlaces(flags.config, env);
      const input = {
        ...{ base: flags.base, wal: flags.wal, into: flags.into, target: targetOf(flags) },
        ...{
          isExclusive: flags.exclusive === true,
          timeline: flags.targetTimeline,
          port: flags.port || null,
        },
        ...{ user: flags.user, database: flags.database, checks: flags.check ?? [] },
        keepRunning: flags.stop !== true,
      };
      const exitCode = await runDurableJob<PitrRequest, PitrOutcome>({
        ...{ config, flags, env, printer },
        logger: createLogger(logSettings(flags, 'warning'), printer, true),
        request: (restoreId, heartbeatSeconds) => toPitrRequest(input, config, restoreId, heartbeatSeconds),
        client: recoveriesOf,
        clear: async () => {},
        notes: [],
        again: 'is begun again, as Temporal has lost it',
        cancelling: 'the new server is stopped, and its folder removed.',
        tellEnd: (outcome) => {
          if (flags.json === true) printer.line(JSON.stringify(outcome));
          else for (const line of pitrLines(outcome)) printer.line(line);
          return pitrExitCode(outcome);
        },
      });
      context.end(exitCode);
    });
}

/** The one target that is named. */
function targetOf({ targetTime: time, targetLsn, targetXid, targetName, latest }: PitrFlags): RecoveryTarget {
  const named = [
    time,
    targetLsn,
    targetXid,
    targetName,
    latest === true ? ({ kind: 'latest' } as const) : undefined,
  ];
  const [first, ...others] = named.filter((one) => one !== undefined);
  if (first !== undefined && others.length === 0) return first;
  throw new ThawError(
    'InputInvalid',
    `${first === undefined ? 'no target is' : 'more than one target are'} named`,
    {
      object: '--target-time',
      hint: 'Name one of --target-time, --target-lsn, --target-xid, --target-name and --latest.',
    },
  );
}

function target(flags: string, says: string, parse: (text: string) => RecoveryTarget): Option {
  return new Option(flags, says).argParser(parse);
}

function timeOf(text: string): RecoveryTarget {
  if (text === 'latest') return { kind: 'latest' };
  const found = targetTime(text);
  if (found === null)
    throw new InvalidArgumentError('It must be a time such as 2026-01-04T09:59:30Z, or latest.');
  return found;
}

function lsnOf(lsn: string): RecoveryTarget {
  if (/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(lsn)) return { kind: 'lsn', lsn };
  throw new InvalidArgumentError('It must be a position such as 0/3000060.');
}

function xidOf(xid: string): RecoveryTarget {
  if (/^\d{1,20}$/.test(xid)) return { kind: 'xid', xid };
  throw new InvalidArgumentError('It must be the number of a transaction.');
}

function nameOf(name: string): RecoveryTarget {
  // PostgreSQL keeps 63 bytes of it.
  if (name !== '' && Buffer.byteLength(name) <= 63 && !/[\n\r\0]/.test(name)) return { kind: 'name', name };
  throw new InvalidArgumentError('It must have 1 to 63 bytes.');
}

function timelineOf(text: string): string {
  if (text === 'latest' || text === 'current' || /^[1-9]\d{0,9}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be latest, current or a number.');
}
