import type pg from 'pg';
import type { ConflictStrategy } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import type { ConflictKey } from './keys.ts';
import type { Stage } from './stage.ts';

/** Rows of a stage, by the numbers of the first and the last one. */
export interface StageRange {
  readonly first: number;
  readonly last: number;
}

/** What a merge did with its rows; what is neither inserted nor updated was in the table or superseded. */
export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
}

/**
 * Brings staged rows into the target by one statement.
 *
 * `skip` keeps what is there, whichever unique or exclusion index says so, and the first of equal keys;
 * where PostgreSQL refuses `on conflict`, only keys of plain columns say so, and others fail as under `fail`.
 * `overwrite` and `upsert` update by the conflict key, the last of equal keys, and leave a row alone that
 * has the archived values already. `fail` inserts, so that PostgreSQL names the first conflict.
 *
 * @throws what PostgreSQL answers: the raw error of the driver; ThawError `ConflictFound` where `overwrite`
 * would have to change an identity that is always generated
 */
export async function mergeStage(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  strategy: ConflictStrategy,
): Promise<MergeCounts> {
  if (strategy === 'overwrite' || strategy === 'upsert') return overwrite(client, target, stage, range);
  const isSkip = strategy === 'skip';
  const columns = columnList(stage);
  const { rowCount } = await client.query(
    `insert into ${qualifiedName(target.schema, target.table)} (${columns}) overriding system value
     select ${columns} from ${stage.table} as archived
     where ${stage.row} between $1 and $2 ${isSkip && refusesOnConflict(target) ? absent(target, stage) : ''}
     order by ${stage.row}
     ${isSkip && !refusesOnConflict(target) ? 'on conflict do nothing' : ''}`,
    [range.first, range.last],
  );
  return { inserted: rowCount ?? 0, updated: 0 };
}

/** PostgreSQL has no `on conflict` beside rewrite rules, nor, without a key named, beside deferrable ones. */
function refusesOnConflict(target: TargetTable): boolean {
  return target.rules.length > 0 || target.keys.some((key) => key.deferrable);
}

/** The condition that a row is neither in the table nor comes earlier in the archive, by any key of plain columns. */
function absent(target: TargetTable, stage: Stage): string {
  const staged = new Set(stage.columns.map(({ name }) => name));
  return target.keys
    .filter((key) => !key.exclusion && key.predicate === null)
    .filter((key): key is ConflictKey => key.columns?.every((name) => staged.has(name)) ?? false)
    .map(
      (key) => `
       and not exists (
         select from ${qualifiedName(target.schema, target.table)} as live where ${sameKey(key, 'live', 'archived')})
       and not exists (
         select from ${stage.table} as earlier
         where earlier.${stage.row} between $1 and archived.${stage.row} - 1 and ${sameKey(key, 'earlier', 'archived')})`,
    )
    .join('');
}

/** The condition that two rows have the same key. */
function sameKey(key: ConflictKey, one: string, other: string): string {
  const isSame = key.nullsNotDistinct ? 'is not distinct from' : '=';
  return key.columns
    .map(quoteIdentifier)
    .map((name) => `${one}.${name} ${isSame} ${other}.${name}`)
    .join(' and ');
}

async function overwrite(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
): Promise<MergeCounts> {
  const key = target.conflictKey;
  if (key === null) throw new Error('overwrite needs a key; preparing the table has to refuse it');
  const table = qualifiedName(target.schema, target.table);
  const columns = columnList(stage);
  const keyColumns = key.columns.map(quoteIdentifier).join(', ');
  const nullable = key.nullsNotDistinct
    ? []
    : target.columns.filter((column) => !column.notNull && key.columns.includes(column.name));
  // Two NULLs are two keys, while `distinct on` takes them for one.
  const distinctNulls =
    nullable.length === 0
      ? ''
      : `, case when ${nullable.map(({ name }) => `${quoteIdentifier(name)} is null`).join(' or ')} then ${stage.row} end`;
  await refuseOtherIdentities(client, target, stage, range, key);
  const updated = stage.columns
    .filter((column) => isUpdatable(column) && !key.columns.includes(column.name))
    .map(({ name }) => quoteIdentifier(name));
  const action =
    updated.length === 0
      ? 'do nothing'
      : `do update set ${updated.map((name) => `${name} = excluded.${name}`).join(', ')}
         where ${differs(updated)}`;
  const { rows } = await client.query<{ inserted: number; updated: number }>(
    `with latest as materialized (
       select distinct on (${keyColumns}${distinctNulls}) ${columns}, ${stage.row}
       from ${stage.table}
       where ${stage.row} between $1 and $2
       order by ${keyColumns}${distinctNulls}, ${stage.row} desc
     ), merged as (
       insert into ${table} as live (${columns}) overriding system value
       select ${columns} from latest order by ${stage.row}
       on conflict (${keyColumns}) ${action}
       returning ${target.kind === 'table' ? 'live.xmax = 0' : 'null::boolean'} as inserted
     )
     ${target.kind === 'table' ? countMarked : countPresent(table, key)}`,
    [range.first, range.last],
  );
  return { inserted: rows[0]?.inserted ?? 0, updated: rows[0]?.updated ?? 0 };
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
  key: ConflictKey,
): Promise<void> {
  const fixed = stage.columns.filter((column) => !isUpdatable(column) && !key.columns.includes(column.name));
  if (fixed.length === 0) return;
  const other = fixed
    .map(({ name }) => quoteIdentifier(name))
    .map((name) => `live.${name} <> archived.${name}`);
  const { rowCount } = await client.query(
    `select from ${stage.table} as archived
     join ${qualifiedName(target.schema, target.table)} as live on ${sameKey(key, 'live', 'archived')}
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

/** A row version that was inserted has no xmax; one that was updated carries its lock. */
const countMarked = `
  select count(*) filter (where inserted) as inserted, count(*) filter (where not inserted) as updated
  from merged`;

/**
 * Partitions and views do not tell xmax ("cannot retrieve a system column in this context"), so the keys
 * that were there when the statement began are counted. What others insert meanwhile counts as inserted.
 */
function countPresent(table: string, key: ConflictKey): string {
  const fresh = `(select count(*) from latest where not exists (select from ${table} as live where ${sameKey(key, 'live', 'latest')}))`;
  return `
  select least(${fresh}, count(*)) as inserted, greatest(count(*) - ${fresh}, 0) as updated
  from merged`;
}

/**
 * The columns differ, to the last bit: `is distinct from` holds 1.0 and 1.00, or a month and 30 days, for
 * equal, and does not exist for json. The casts keep PostgreSQL from reading a comparison column by column.
 */
function differs(columns: readonly string[]): string {
  const row = (table: string) => `row(${columns.map((name) => `${table}.${name}`).join(', ')})::record`;
  return `${row('live')} *<> ${row('excluded')}`;
}

function columnList(stage: Stage): string {
  return stage.columns.map(({ name }) => quoteIdentifier(name)).join(', ');
}
