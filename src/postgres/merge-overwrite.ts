import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';
import { type KeptImages, keepSql, keepValues, returningSql } from './kept-images.ts';
import type { RowKey } from './keys.ts';
import type { MergeCounts } from './merge.ts';
import { columnList, insertInto, liveRow, rowsOf, sameKey } from './merge-sql.ts';
import type { Stage } from './stage.ts';
import type { StageRange } from './stage-range.ts';

/**
 * Updates the rows of the target that have the keys of staged ones, and inserts the others; of equal keys
 * the last one counts.
 *
 * @throws ThawError `ConflictFound`
 */
export async function overwriteRows(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  kept: KeptImages | null,
): Promise<MergeCounts> {
  const key = keyOf(target);
  await refuseOtherIdentities(client, target, stage, range, key);
  if (target.comparedKey !== null) await refuseTwins(client, target, stage, range, key);
  const updated = stage.columns
    .filter((column) => isUpdatable(column) && !key.columns.includes(column.name))
    .map(({ name }) => quoteIdentifier(name));
  const merge = target.comparedKey === null ? mergeByIndex : mergeByComparison;
  const { rows } = await client.query<Pick<MergeCounts, 'inserted' | 'updated'> & { readonly keys: number }>(
    `with latest as materialized (
       select distinct on (${distinct(target, stage, key)}) ${columnList(stage)}, ${stage.row}
       from ${stage.rows} as archived
       where ${stage.row} between $1 and $2
       order by ${distinct(target, stage, key)}, ${stage.row} desc
     ), ${merge(target, stage, key, updated, kept)}`,
    [range.first, range.last, ...(kept === null ? [] : keepValues(target, kept))],
  );
  const { inserted, updated: changed, keys } = rows[0] ?? { inserted: 0, updated: 0, keys: 0 };
  return { inserted, updated: changed, unchanged: keys - inserted - changed };
}

/** Takes away the rows of a stage behind which another one with the same key comes. */
export async function supersedeRows(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
): Promise<void> {
  await client.query(
    `delete from ${stage.numbers} as archived
     using (
       select ${stage.row},
         row_number() over (partition by ${distinct(target, stage, keyOf(target))} order by ${stage.row} desc) as place
       from ${stage.rows} as archived
       where ${stage.row} between $1 and $2
     ) as ranked
     where ranked.${stage.row} = archived.${stage.row} and ranked.place > 1`,
    [range.first, range.last],
  );
}

function keyOf(target: TargetTable): RowKey {
  const key = target.comparedKey ?? target.conflictKey;
  if (key === null) throw new Error('overwrite needs a key; preparing the table has to refuse it');
  return key;
}

/** What is the same for rows of the same key only. Two NULLs are two keys, while `distinct on` takes them for one. */
function distinct(target: TargetTable, stage: Stage, key: RowKey): string {
  const columns = key.columns.map(quoteIdentifier);
  const nullable = key.nullsNotDistinct
    ? []
    : target.columns.filter((column) => !column.notNull && key.columns.includes(column.name));
  if (nullable.length === 0) return columns.join(', ');
  const isNull = nullable.map(({ name }) => `${quoteIdentifier(name)} is null`).join(' or ');
  return [...columns, `case when ${isNull} then ${stage.row} end`].join(', ');
}

function mergeByIndex(
  target: TargetTable,
  stage: Stage,
  key: RowKey,
  updated: readonly string[],
  kept: KeptImages | null,
): string {
  const action =
    updated.length === 0
      ? 'do nothing'
      : `do update set ${updated.map((name) => `${name} = excluded.${name}`).join(', ')}
         where ${differs(updated, 'excluded')}`;
  return `merged as (
      ${insertInto(target, stage)}
      select ${columnList(stage)} from latest order by ${stage.row}
      on conflict (${key.columns.map(quoteIdentifier).join(', ')}) ${action}
      returning ${target.kind === 'table' ? 'live.xmax = 0' : 'null::boolean'} as inserted${kept === null ? '' : `, ${returningSql(target, kept)}`}
    )${kept === null ? '' : `, kept as (${keepSql(target, kept, 'merged', 3)})`}
    ${target.kind === 'table' ? countMarked : countPresent(target, key)}`;
}

/** Both parts see the table as it was before, in which no other row can have appeared meanwhile. */
function mergeByComparison(
  target: TargetTable,
  stage: Stage,
  key: RowKey,
  updated: readonly string[],
  kept: KeptImages | null,
): string {
  const returning = kept === null ? '1' : returningSql(target, kept);
  const change =
    updated.length === 0
      ? null
      : `update ${rowsOf(target)} as live set ${updated.map((name) => `${name} = archived.${name}`).join(', ')}
         from latest as archived
         where ${sameKey(key, 'live', 'archived')} and ${differs(updated, 'archived')}
         returning ${returning}`;
  const keep = (from: string) =>
    kept === null ? '' : `, kept_${from} as (${keepSql(target, kept, from, 3)})`;
  return `changed as (${change ?? 'select 1 where false'})${change === null ? '' : keep('changed')}, added as (
      ${insertInto(target, stage)}
      select ${columnList(stage)} from latest as archived
      where not exists (${liveRow(target, key)})
      order by ${stage.row}
      returning ${returning}
    )${keep('added')}
    select (select count(*) from added) as inserted, (select count(*) from changed) as updated, ${countKeys}`;
}

/** What is always generated as identity can be inserted, and afterwards `update` only gives it a new value. */
function isUpdatable({ identity }: TargetColumn): boolean {
  return identity !== 'always';
}

/**
 * Refuses rows that would come back with another identity than they were archived with.
 *
 * @throws ThawError `ConflictFound`
 */
async function refuseOtherIdentities(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  key: RowKey,
): Promise<void> {
  const fixed = stage.columns.filter((column) => !isUpdatable(column) && !key.columns.includes(column.name));
  if (fixed.length === 0) return;
  const other = fixed
    .map(({ name }) => quoteIdentifier(name))
    .map((name) => `live.${name} <> archived.${name}`);
  const { rowCount } = await client.query(
    `select from ${stage.rows} as archived
     join ${rowsOf(target)} as live on ${sameKey(key, 'live', 'archived')}
     where archived.${stage.row} between $1 and $2 and (${other.join(' or ')})
     limit 1`,
    [range.first, range.last],
  );
  if (rowCount === 0) return;
  const table = `${target.schema}.${target.table}`;
  const columns = fixed.map(({ name }) => name).join(', ');
  throw new ThawError(
    'ConflictFound',
    `${table}: a row with the same key has another value of ${columns}, which is always generated and cannot be overwritten.`,
    {
      object: table,
      stage: 'merge',
      hint: 'Keep the rows that are there with --conflict-strategy skip, or delete them, or let the column be generated by default.',
    },
  );
}

/**
 * Refuses keys that several rows of the target have: nobody could say which one was archived.
 *
 * @throws ThawError `ConflictFound`
 */
async function refuseTwins(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  key: RowKey,
): Promise<void> {
  const { rowCount } = await client.query(
    `select from ${rowsOf(target)} as live
     where exists (
       select from ${stage.rows} as archived
       where archived.${stage.row} between $1 and $2 and ${sameKey(key, 'live', 'archived')})
     group by ${key.columns.map((name) => `live.${quoteIdentifier(name)}`).join(', ')}
     having count(*) > 1
     limit 1`,
    [range.first, range.last],
  );
  if (rowCount === 0) return;
  const table = `${target.schema}.${target.table}`;
  throw new ThawError(
    'ConflictFound',
    `${table}: several rows have the same ${key.columns.join(', ')} as an archived one, so it is not known which to overwrite.`,
    {
      object: table,
      stage: 'merge',
      hint: 'Name columns with --key that are different in every row, or keep the rows that are there with --conflict-strategy skip.',
    },
  );
}

/** The keys that were merged. */
const countKeys = '(select count(*) from latest) as keys';

/** A row version that was inserted has no xmax; one that was updated carries its lock. */
const countMarked = `
  select count(*) filter (where inserted) as inserted, count(*) filter (where not inserted) as updated, ${countKeys}
  from merged`;

/**
 * Partitions and views do not tell xmax ("cannot retrieve a system column in this context"), so the keys
 * that were there when the statement began are counted. What others insert meanwhile counts as inserted.
 */
function countPresent(target: TargetTable, key: RowKey): string {
  const fresh = `(select count(*) from latest as archived where not exists (${liveRow(target, key)}))`;
  return `
  select least(${fresh}, count(*)) as inserted, greatest(count(*) - ${fresh}, 0) as updated, ${countKeys}
  from merged`;
}

/**
 * The columns differ, to the last bit: `is distinct from` holds 1.0 and 1.00, or a month and 30 days, for
 * equal, and does not exist for json. The casts keep PostgreSQL from reading a comparison column by column.
 */
function differs(columns: readonly string[], other: string): string {
  const row = (table: string) => `row(${columns.map((name) => `${table}.${name}`).join(', ')})::record`;
  return `${row('live')} *<> ${row(other)}`;
}
