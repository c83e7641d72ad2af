import type pg from 'pg';
import type { ConflictStrategy } from '../contract/restore-request.ts';
import type { TargetTable } from './catalog.ts';
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
 * `skip` keeps what is there, whichever unique or exclusion index says so, and the first of equal keys.
 * `overwrite` and `upsert` update by the conflict key, the last of equal keys, and leave a row alone that
 * has the archived values already. `fail` inserts, so that PostgreSQL names the first conflict.
 *
 * @throws what PostgreSQL answers: the raw error of the driver
 */
export async function mergeStage(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  strategy: ConflictStrategy,
): Promise<MergeCounts> {
  if (strategy === 'overwrite' || strategy === 'upsert') return overwrite(client, target, stage, range);
  const conflict = strategy === 'skip' ? 'on conflict do nothing' : '';
  const columns = columnList(stage);
  const { rowCount } = await client.query(
    `insert into ${qualifiedName(target.schema, target.table)} (${columns}) overriding system value
     select ${columns} from ${stage.table}
     where ${stage.row} between $1 and $2
     order by ${stage.row}
     ${conflict}`,
    [range.first, range.last],
  );
  return { inserted: rowCount ?? 0, updated: 0 };
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
  const updated = stage.columns
    .filter((column) => !key.columns.includes(column.name))
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

/** A row version that was inserted has no xmax; one that was updated carries its lock. */
const countMarked = `
  select count(*) filter (where inserted) as inserted, count(*) filter (where not inserted) as updated
  from merged`;

/**
 * Partitions and views do not tell xmax ("cannot retrieve a system column in this context"), so the keys
 * that were there when the statement began are counted. What others insert meanwhile counts as inserted.
 */
function countPresent(table: string, key: ConflictKey): string {
  const equal = key.columns.map(quoteIdentifier).map((name) => `live.${name} = latest.${name}`);
  const fresh = `(select count(*) from latest where not exists (select from ${table} as live where ${equal.join(' and ')}))`;
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
