import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseTenant } from '../client/snapshot-request.ts';
import { parseBytes } from '../config/byte-size.ts';
import { parseSeconds } from '../config/duration.ts';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { type SnapshotType, snapshotDefaults, snapshotTypes } from '../contract/snapshot.ts';
import { chosenDatabase } from './chosen-database.ts';
import type { CommandContext } from './context.ts';
import {
  collect,
  type LogFlags,
  logSettings,
  type TemporalFlags,
  withConfig,
  withLog,
  withTemporal,
  word,
} from './flags.ts';
import { createLogger } from './logger.ts';
import { createSnapshot } from './snapshot-create-job.ts';
import { readName } from './snapshot-order-job.ts';
import { scheduleSnapshots } from './snapshot-schedule-job.ts';
import { whoAsks } from './who-asks.ts';

interface CreateFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly schema?: readonly string[];
  readonly where?: string;
  readonly name?: string;
  readonly type: SnapshotType;
  readonly keep?: number;
  readonly readers: number;
  readonly partSize: number;
  /** False: --no-cron. */
  readonly cron?: string | false;
  readonly json?: boolean;
  readonly taskQueue?: string;
}

const examples = `
Examples:
    thaw snapshot create --table orders --table sales.invoices --name "before the price change"
    thaw snapshot create --schema sales --keep 30d
    thaw snapshot create --schema sales --where tenant_id=42 --json | jq -r .id
  Every night at two, each kept for a week, by the workers of a cluster; and no more:
    thaw snapshot create --schema sales --name nightly --keep 7d --cron "0 2 * * *"
    thaw snapshot create --schema sales --name nightly --no-cron

All tables are as they were at one moment, whatever is written meanwhile; nobody waits for it but who would drop,
alter or truncate one of them. Values are kept as PostgreSQL writes them, to the last bit.

A command that was killed goes on with its snapshot when it is given again.

Exit codes: 0 taken; 1 it could not start or failed, and nothing is left of it; 130 interrupted.`;

/** `thaw snapshot create`: takes one. */
export function addSnapshotCreateCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  const command = withConfig(snapshot.command('create'))
    .summary('take a snapshot of tables')
    .description('Reads tables, all at one moment, into the store that archives lie in.')
    .optionsGroup('What:')
    .option('--database <name>', 'database of the tables (default: the only one)')
    .option('--table <[schema.]name>', 'table, of the schema public unless one is named; repeatable', collect)
    .option('--schema <name>', 'all tables of this schema; repeatable', collect)
    .option('--where <column=value>', 'only rows with this value, such as those of one tenant')
    .optionsGroup('How:')
    .option('--name <text>', 'what to call it (default: its id)')
    .addOption(
      new Option('--type <type>', snapshotTypes.join(', '))
        .argParser(word(snapshotTypes))
        .default('manual' satisfies SnapshotType),
    )
    .option('--keep <time>', 'when it expires, such as 30d (default: never)', seconds)
    .option('--readers <n>', 'tables read at the same time', readers, snapshotDefaults.readers)
    .addOption(
      new Option('--part-size <size>', 'of rows before compression, after which another file is begun')
        .argParser(bytes)
        .default(snapshotDefaults.partBytes, '128MiB'),
    )
    .option('--cron <expression>', 'take it again and again, by the workers of a cluster')
    .option('--no-cron', 'take the schedule of this --name away')
    .option('--json', 'print one JSON object and nothing else')
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)')
    .optionsGroup('Temporal and log:');
  withTemporal(command);
  withLog(command, 'warning')
    .addHelpText('after', examples)
    .action(async (flags: CreateFlags) => {
      const config = await loadConfig(configPath(flags.config, env).value, env);
      const input = {
        database: chosenDatabase(config, flags.database ?? null).name,
        ...{ name: flags.name ?? null, type: flags.type, by: whoAsks(env) },
        tables: (flags.table ?? []).map(readName),
        schemas: flags.schema ?? [],
        tenant: flags.where === undefined ? null : parseTenant(flags.where),
        ...{ keep: flags.keep ?? null, readers: flags.readers, partBytes: flags.partSize },
      };
      const { cron } = flags;
      if (cron !== undefined)
        return end(await scheduleSnapshots({ config, input, flags, cron, env, printer }));
      const logger = createLogger(logSettings(flags, 'warning'), printer, true);
      end(await createSnapshot({ config, input, flags, env, printer, logger }));
    });
}

function seconds(text: string): number {
  const found = parseSeconds(text);
  if (found !== null) return found;
  throw new InvalidArgumentError('It must be a time such as 12h or 30d.');
}

function readers(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= 64) return number;
  throw new InvalidArgumentError('It must be a whole number from 1 to 64.');
}

function bytes(text: string): number {
  const size = parseBytes(text);
  if (size !== null && size > 0) return size;
  throw new InvalidArgumentError('It must be a size such as 64MiB.');
}
