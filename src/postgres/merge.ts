import type pg from 'pg';
import type { ConflictStrategy } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetTable } from './catalog.ts';
import { insertAll } from './insert-all.ts';
import {
  type KeptImages,
  keepColumns,
  keepInserted,
  keepSql,
  keepValues,
  returningSql,
} from './kept-images.ts';
import { isPlain, type RowKey } from './keys.ts';
import { overwriteRows, supersedeRows } from './merge-overwrite.ts';
import { columnList, earlierRow, insertInto, liveRow } from './merge-sql.ts';
import type { Stage } from './stage.ts';
import { type StageRange, stepsOf } from './stage-range.ts';

/** What a merge did with its rows; what is none of these was superseded or, under `skip`, in the table. */
export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  /** Found with the archived values already, and left alone. */
  readonly unchanged: number;
}

/**
 * Brings staged rows into the target, by one statement or by several of at most `batchSize` rows: what comes
 * of it, and its counts, are the same.
 *
 * `skip` keeps what is there, whichever unique or exclusion index or compared key says so, and the first of
 * equal keys; where PostgreSQL refuses `on conflict`, only keys of plain columns say so, and others fail as
 * under `fail`. `overwrite` and `upsert` update by the key, the last of equal keys, and leave a row alone
 * that has the archived values already. `fail` inserts all rows or none.
 *
 * By a compared key rows are told apart only as long as nobody else writes: the caller holds a lock.
 *
 * @param kept keeps what is changed, under the same lock; null: nothing
 * @throws what PostgreSQL answers: the raw error of the driver; ThawError `ConflictFound` with the line of the
 * first conflict under `fail`, or where `overwrite` cannot tell which row to update or would have to change
 * an identity that is always generated; `SchemaIncompatible` where the archive lacks a column of the key
 */
export async function mergeStage(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  strategy: ConflictStrategy,
  batchSize: number | null = null,
  kept: KeptImages | null = null,
): Promise<MergeCounts> {
  const updates = strategy === 'overwrite' || strategy === 'upsert';
  const key = target.comparedKey ?? (updates ? target.conflictKey : null);
  if (key !== null) checkStaged(target, stage, key);
  if (kept !== null) await keepColumns(client, target, kept);
  if (strategy === 'fail') return insertKept(client, target, stage, range, batchSize, kept);
  const steps = stepsOf(range, batchSize);
  // Each statement sees one part of the rows: the last of equal keys is found before.
  if (updates && steps.length > 1) await supersedeRows(client, target, stage, range);
  const merge = updates ? overwriteRows : skipRows;
  let [inserted, updated, unchanged] = [0, 0, 0];
  for (const step of steps) {
    const counts = await merge(client, target, stage, step, kept);
    inserted += counts.inserted;
    updated += counts.updated;
    unchanged += counts.unchanged;
  }
  return { inserted, updated, unchanged };
}

async function insertKept(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  batchSize: number | null,
  kept: KeptImages | null,
): Promise<MergeCounts> {
  const counts = await insertAll(client, target, stage, range, batchSize);
  if (kept === null) return counts;
  checkStaged(target, stage, { columns: kept.key, nullsNotDistinct: false });
  const condition = `archived.${stage.row} between $1 and $2`;
  const values = [range.first, range.last];
  const found = await keepInserted(client, target, kept, stage.rows, condition, values);
  if (found === counts.inserted) return counts;
  const table = `${target.schema}.${target.table}`;
  throw new ThawError(
    'SchemaIncompatible',
    `${table}: of ${counts.inserted} rows inserted, ${found} are found by ${kept.key.join(', ')}.`,
    {
      object: table,
      stage: 'merge',
      hint: 'A trigger changes keys: give --disable-triggers, or not --undoable.',
    },
  );
}

async function skipRows(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  kept: KeptImages | null,
): Promise<MergeCounts> {
  const { comparedKey } = target;
  const byIndex = refusesOnConflict(target) ? lateKeys(target, stage) : [];
  const keys = comparedKey === null ? byIndex : [comparedKey, ...byIndex];
  const insert = `${insertInto(target, stage)}
     select ${columnList(stage)} from ${stage.rows} as archived
     where ${stage.row} between $1 and $2
       ${keys.map((key) => `and not exists (${liveRow(target, key)}) and not exists (${earlierRow(stage, key)})`).join(' ')}
     order by ${stage.row}
     ${refusesOnConflict(target) ? '' : 'on conflict do nothing'}`;
  const { rowCount } =
    kept === null
      ? await client.query(insert, [range.first, range.last])
      : await client.query(
          `with added as (${insert} returning ${returningSql(target, kept)})
           ${keepSql(target, kept, 'added', 3)}`,
          [range.first, range.last, ...keepValues(target, kept)],
        );
  return { inserted: rowCount ?? 0, updated: 0, unchanged: 0 };
}

/** PostgreSQL has no `on conflict` beside rewrite rules, nor, without a key named, beside deferrable ones. */
function refusesOnConflict(target: TargetTable): boolean {
  return target.rules.length > 0 || target.keys.some((key) => key.deferrable);
}

/** Keys of plain columns, all of them staged. */
function lateKeys(target: TargetTable, stage: Stage): RowKey[] {
  const staged = new Set(stage.columns.map(({ name }) => name));
  return target.keys.filter(isPlain).filter((key) => key.columns.every((name) => staged.has(name)));
}

function checkStaged(target: TargetTable, stage: Stage, key: RowKey): void {
  const staged = new Set(stage.columns.map(({ name }) => name));
  const absent = key.columns.filter((name) => !staged.has(name));
  if (absent.length === 0) return;
  const table = `${target.schema}.${target.table}`;
  throw new ThawError(
    'SchemaIncompatible',
    `${table}: the archive has no column ${absent.join(', ')}, by which rows are told apart.`,
    { object: table, stage: 'merge', hint: 'Name columns that are archived with --key.' },
  );
}
