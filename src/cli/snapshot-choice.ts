import { type Command, Option } from 'commander';
import { parseTenant } from '../client/snapshot-request.ts';
import { parseSource, sourceText } from '../client/snapshot-source.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import { type SchemaStrategy, schemaStrategies } from '../contract/restore-request.ts';
import { type SnapshotRequest, type SnapshotStrategy, snapshotStrategies } from '../contract/snapshot.ts';
import type { PointInTime } from '../contract/snapshot-replay.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { inspectSelection, type SelectionSummary } from '../snapshot/merge/selection.ts';
import { collect, word } from './flags.ts';
import { type PointInTimeFlags, readPointInTime, withPointInTime } from './point-in-time-flags.ts';
import { selectionChunks } from './selection-file.ts';
import { snapshotDatabase } from './snapshot-database.ts';
import { readName } from './snapshot-order-job.ts';

/** Flags that say what of a snapshot is restored, and how. */
export interface ChoiceFlags extends PointInTimeFlags {
  readonly database?: string;
  readonly table?: readonly string[];
  readonly where?: string;
  readonly strategy: SnapshotStrategy;
  readonly newerBy?: string;
  readonly selection?: string;
  readonly schemaMigrationStrategy: SchemaStrategy;
}

/** What of a snapshot is restored, and how. */
export interface SnapshotChoice
  extends Pick<SnapshotRequest, 'source' | 'tables' | 'strategy' | 'newerBy' | 'tenant' | 'schemaStrategy'> {
  readonly database: DatabaseConfig;
  /** Null: the moment of the snapshot. */
  readonly pointInTime: PointInTime | null;
  /** Path of a file of marked differences, and what is marked in it; null where none is taken. */
  readonly selection: (SelectionSummary & { readonly path: string }) | null;
}

/** Adds the flags that say what of a snapshot is restored, and how. @param strategies those that make sense */
export function withChoice(
  command: Command,
  strategies: readonly SnapshotStrategy[] = snapshotStrategies,
): Command {
  const isSelective = strategies.includes('selective');
  command
    .argument(
      '[snapshot]',
      'its id, a UUID of backup_pitr_snapshots, or the key of a …-backup.json; not needed with --to',
    )
    .option('--database <name>', 'database of the tables (default: the only one, else that of the snapshot)')
    .option(
      '--table <[schema.]name>',
      'only this table, of the schema public unless one is named; repeatable',
      collect,
    )
    .option('--where <column=value>', 'only rows with this value, such as those of one tenant')
    .addOption(
      new Option('--strategy <strategy>', strategies.join(', '))
        .argParser(word(strategies))
        .default('overwrite' satisfies SnapshotStrategy),
    )
    .option('--newer-by <column>', 'with merge: the column by which the newer row wins')
    .addOption(
      new Option('--schema-migration-strategy <strategy>', schemaStrategies.join(', '))
        .argParser(word(schemaStrategies))
        .default('strict' satisfies SchemaStrategy),
    );
  withPointInTime(command);
  return isSelective
    ? command.option('--selection <file>', 'with selective: what `thaw snapshot diff` wrote, marked')
    : command;
}

/**
 * What the flags say.
 *
 * @throws ThawError `InputInvalid` for flags that contradict each other, or a file of another snapshot
 */
export async function readChoice(
  config: ThawConfig,
  name: string,
  flags: ChoiceFlags,
  env: NodeJS.ProcessEnv,
): Promise<SnapshotChoice> {
  const { strategy, selection: path } = flags;
  needs('--newer-by', flags.newerBy !== undefined, 'merge', strategy);
  needs('--selection', path !== undefined, 'selective', strategy);
  const source = parseSource(name);
  const database = await snapshotDatabase(config, env, source, flags.database ?? null);
  const asked = flags.where === undefined ? null : parseTenant(flags.where);
  const tables = flags.table?.map(readName) ?? null;
  const choice = {
    ...{ source, database, strategy, newerBy: flags.newerBy ?? null },
    schemaStrategy: flags.schemaMigrationStrategy,
    pointInTime: readPointInTime(flags),
  };
  if (path === undefined) return { ...choice, tables, tenant: asked, selection: null };
  const selection = await inspectSelection(selectionChunks(path));
  const { header } = selection;
  if (header.database !== database.name || sourceText(header.source) !== name) {
    throw new ThawError(
      'InputInvalid',
      `${path}: it is a diff of ${sourceText(header.source)} and the database ${header.database}.`,
      { object: '--selection', hint: 'Name the snapshot and the database that the diff was written of.' },
    );
  }
  // Nothing else is to be staged; and the rows of the diff are those of its tenant, at its time.
  return {
    ...choice,
    tables: tables ?? selection.tables,
    tenant: asked ?? header.tenant,
    pointInTime: choice.pointInTime ?? header.pointInTime ?? null,
    selection: { ...selection, path },
  };
}

function needs(flag: string, isGiven: boolean, strategy: SnapshotStrategy, chosen: SnapshotStrategy): void {
  if (isGiven === (chosen === strategy)) return;
  const message = isGiven
    ? `${flag}: only with --strategy ${strategy}`
    : `--strategy ${strategy}: needs ${flag}`;
  const hint = isGiven ? `Leave ${flag} out, or give --strategy ${strategy}.` : `Give ${flag}.`;
  throw new ThawError('InputInvalid', message, { object: flag, hint });
}
