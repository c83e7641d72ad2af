import type { Command } from 'commander';
import { fieldError, parseRestoreInput, type RestoreInput } from '../client/restore-input.ts';
import {
  collect,
  flagNaming,
  type LogFlags,
  type TemporalFlags,
  withConfig,
  withLog,
  withTemporal,
} from './flags.ts';

/** The flags of `thaw restore`. */
export interface RestoreFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly restoreAll?: boolean;
  readonly s3Key?: readonly string[];
  readonly database?: string;
  readonly table?: readonly string[];
  readonly schema?: string;
  readonly intoTable?: string;
  readonly startDate?: string;
  readonly endDate?: string;
  readonly conflictStrategy?: string;
  readonly schemaMigrationStrategy?: string;
  readonly key?: string;
  readonly columns?: string;
  /** Of `old=new`. */
  readonly mapColumn?: readonly string[];
  readonly disableTriggers?: boolean;
  readonly undoable?: boolean;
  readonly createTable?: boolean;
  readonly unrestorable?: string;
  readonly infinity?: string;
  readonly rowsFrom?: string;
  readonly rowsTo?: string;
  readonly maxRejects?: string;
  readonly batchSize?: string;
  readonly verifyFirst?: boolean;
  readonly trustWatermark?: boolean;
  /** true: without a word. */
  readonly dropIndexes?: boolean | string;
  readonly commitFrequency?: string;
  readonly dryRun?: boolean;
  /** false: rows are not counted by what would become of them. */
  readonly detectConflicts: boolean;
  readonly ignoreWatermark?: boolean;
  /** false: not compared. */
  readonly validateChecksum: boolean;
  readonly lanes?: string;
  readonly packBytes?: string;
  readonly failFast?: boolean;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly taskQueue?: string;
}

/** Adds the flags of `thaw restore`. */
export function withRestoreFlags(command: Command): Command {
  withConfig(command);
  command
    .optionsGroup('What is restored:')
    .option('--restore-all', 'restore every archive of each table')
    .option('--s3-key <key>', 'restore this archive; repeatable', collect)
    .option('--database <name>', 'database, as configured (default: that of the key, or the only one)')
    .option('--table <name>', 'table, as archived; repeatable (default: every table configured)', collect)
    .option(
      '--start-date <day>',
      'first day of archiving, YYYY-MM-DD, with --restore-all: when rows were archived, not when they were made',
    )
    .option('--end-date <day>', 'last day of archiving, YYYY-MM-DD, included; likewise')
    .option(
      '--rows-from <time>',
      "only rows from this time on, by their own: the table's timestamp_column, as configured",
    )
    .option('--rows-to <time>', 'only rows before this time by their own; a day alone is included')
    .option('--columns <columns>', 'archived columns to restore, a,b (default: all)')
    .optionsGroup('Where it goes:')
    .option('--schema <name>', 'schema that the rows go into (default: the configured one, then public)')
    .option('--into-table <name>', 'table that the rows go into (default: the one of the same name)')
    .option(
      '--map-column <old=new>',
      'archived column that has another name in the table; repeatable',
      collect,
    )
    .optionsGroup('Rows and columns that do not fit:')
    .option(
      '--conflict-strategy <strategy>',
      'rows whose key is there: skip, overwrite, fail or upsert; overwrite and upsert both update (default: skip)',
    )
    .option('--key <columns>', 'columns that tell rows apart, a,b (default: the key of the table)')
    .option(
      '--schema-migration-strategy <strategy>',
      'columns that differ: strict, lenient, transform or none (default: lenient)',
    )
    .option('--create-table', 'make a table that is not there from the schema in its archives')
    .option('--unrestorable <choice>', 'values that the archiver destroyed: fail or null (default: fail)')
    .option(
      '--infinity <choice>',
      'times at the end of the calendar: keep, or map to infinity (default: keep)',
    )
    .option('--max-rejects <n>', 'bad rows of an archive that are put aside before it fails (default: 0)')
    .option(
      '--disable-triggers',
      "keep the table's triggers from firing on what is restored; others cannot write while an archive is merged",
    )
    .option(
      '--undoable',
      'keep what is overwritten, and which rows are inserted, for thaw undo; others cannot write while an archive is merged',
    )
    .optionsGroup('What was restored before:')
    .option('--ignore-watermark', 'restore again what was restored before')
    .option('--trust-watermark', "believe a watermark that the archiver's own tool wrote")
    .optionsGroup('Checks:')
    .option(
      '--dry-run',
      'tell what would be restored, with the exact numbers of rows inserted, updated and skipped, and change nothing',
    )
    .option('--no-detect-conflicts', 'with --dry-run: read no archive, and leave these numbers out')
    .option(
      '--verify-first',
      'read every archive of all tables to its end first, and load nothing at all if one is bad or missing',
    )
    .option('--no-validate-checksum', 'load archives whose checksum is wrong')
    .option('--fail-fast', 'start nothing more after the first archive that failed')
    .optionsGroup('Speed:')
    .option('--lanes <n>', 'concurrent loads for each table (default: 4)')
    .option('--pack-bytes <size>', 'small archives that are loaded together; 0: none (default: 4MiB)')
    .option('--commit-frequency <n>', 'archives in one transaction (default: as many as --pack-bytes allows)')
    .option('--batch-size <n>', 'rows merged by one statement (default: an archive at once)')
    .option(
      '--drop-indexes [when]',
      'drop plain indexes for the load and build them again: auto, where that pays, or always (default: auto)',
    )
    .optionsGroup('Temporal:')
    .option('--detach', 'start it in the cluster and leave')
    .option(
      '--task-queue <name>',
      'task queue of the workers in the cluster (THAW_TASK_QUEUE, default: thaw)',
    );
  withTemporal(command);
  command.optionsGroup('Output:').option('--json', 'print one JSON object and nothing else');
  return withLog(command, 'warning');
}

/**
 * What the flags ask for.
 *
 * @throws ThawError `InputInvalid` naming the flag
 */
export function restoreInputOf(flags: RestoreFlags): RestoreInput {
  const asked = {
    database: flags.database,
    tables: flags.table,
    schema: flags.schema,
    into_table: flags.intoTable,
    s3_keys: flags.s3Key,
    restore_all: flags.restoreAll,
    start_date: flags.startDate,
    end_date: flags.endDate,
    conflict_strategy: flags.conflictStrategy,
    schema_migration_strategy: flags.schemaMigrationStrategy,
    key: flags.key,
    columns: flags.columns,
    map_column: mappings(flags.mapColumn),
    disable_triggers: flags.disableTriggers,
    undoable: flags.undoable,
    create_table: flags.createTable,
    unrestorable: flags.unrestorable,
    infinity: flags.infinity,
    rows_from: flags.rowsFrom,
    rows_to: flags.rowsTo,
    max_rejects: flags.maxRejects,
    batch_size: flags.batchSize,
    verify_first: flags.verifyFirst,
    trust_watermark: flags.trustWatermark,
    drop_indexes: flags.dropIndexes,
    commit_frequency: flags.commitFrequency,
    ignore_watermark: flags.ignoreWatermark,
    validate_checksum: flags.validateChecksum,
    lanes: flags.lanes,
    pack_bytes: flags.packBytes,
    fail_fast: flags.failFast,
    dry_run: flags.dryRun,
    detect_conflicts: flags.detectConflicts,
  };
  return parseRestoreInput(asked, flagNaming);
}

/** @throws ThawError `InputInvalid` for what is not `old=new` */
function mappings(pairs: readonly string[] | undefined): Record<string, string> | undefined {
  if (pairs === undefined) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const [from = '', to = '', more] = pair.split('=');
      if (from === '' || to === '' || more !== undefined) {
        throw fieldError('--map-column', 'must be archived=column', pair);
      }
      return [from, to];
    }),
  );
}
