import type pg from 'pg';
import type { TenantPart } from '../contract/snapshot.ts';
import type { ChangeLog } from './change-log.ts';
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifier.ts';
import { exactIsoTime } from './kept.ts';
import type { StagedTable } from './snapshot-differences.ts';
import { stageColumns } from './snapshot-stage.ts';

/** Which changes of a log are replayed. */
export interface ReplayWindow {
  /** The moment of the snapshot, as PostgreSQL reads it. */
  readonly after: string;
  /** What the snapshot saw, as `pg_current_snapshot()` writes it; null: only its moment is known. */
  readonly xactSnapshot: string | null;
  /** The last instant whose changes count. */
  readonly until: string;
  readonly tenant: TenantPart | null;
}

/** Changes of one table. */
export interface TableLog {
  readonly log: ChangeLog;
  /** By which the log speaks of the table. */
  readonly names: readonly string[];
  readonly staged: StagedTable;
  /** Columns whose values tell rows apart. */
  readonly key: readonly string[];
}

/** A change of which it cannot be told what it did to which row. */
export interface UnclearChange {
  readonly entry: string | null;
  readonly changedAt: string;
}

/**
 * How long before the moment of a snapshot a change may have been logged that the snapshot did not see, because its
 * transaction was open.
 */
const longestTransaction = '1 day';

/** Whether anything was logged of a table within the window. @throws what PostgreSQL answers, raw */
export async function hasChanges(
  client: pg.Client,
  log: ChangeLog,
  names: readonly string[],
  window: ReplayWindow,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from ${qualifiedName(log.schema, log.table)} as log where ${inWindow(log, window)} limit 1`,
    valuesOf(names, window),
  );
  return rowCount !== 0;
}

/**
 * Reads the changes of a table within the window into `thaw_log`, in their order, and the keys of their rows into
 * `thaw_keys`, with where each is in the stage: tables that end with the transaction.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function readChanges(
  client: pg.Client,
  { log, names, staged, key }: TableLog,
  window: ReplayWindow,
): Promise<void> {
  const stage = qualifiedName(staged.stage.schema, staged.stage.table);
  const keyed = key.map((name, index) => `${quoteIdentifier(name)} as k${index}`).join(', ');
  // Types and collations of the key come along.
  await client.query(
    `create temp table thaw_keys on commit drop as
     select null::bigint as key, null::tid as base, ${keyed} from ${stage} with no data`,
  );
  const values = valuesOf(names, window);
  await client.query(
    `create temp table thaw_log on commit drop as
     ${changesQuery({ log, staged, key }, inWindow(log, window), values.length + 1)}`,
    [...values, missingColumns(staged)],
  );
  const columns = (side: string) => key.map((_, index) => `${side}${index}`).join(', ');
  await client.query(`
    insert into thaw_keys
    select row_number() over (), null, found.*
    from (
      select ${columns('o')} from thaw_log where o0 is not null
      union
      select ${columns('n')} from thaw_log where n0 is not null
    ) as found;
    update thaw_keys set base = staged.ctid from ${stage} as staged
    where ${key.map((name, index) => `staged.${quoteIdentifier(name)} = thaw_keys.k${index}`).join(' and ')};
    analyze thaw_log; analyze thaw_keys`);
}

/** The first change that does not tell its row, or what it did to it; null for none. */
export async function findUnclear(client: pg.Client): Promise<UnclearChange | null> {
  const { rows } = await client.query<UnclearChange>(
    `select entry, ${exactIsoTime('at')} as "changedAt" from thaw_log
     where operation not in ('INSERT', 'UPDATE', 'DELETE')
       or operation <> 'INSERT' and o0 is null
       or operation <> 'DELETE' and (new is null or n0 is null)
     order by place limit 1`,
  );
  return rows[0] ?? null;
}

/** Columns that rows of the log have and the table has not, with the number of their values. */
export async function findUnknownColumns(
  client: pg.Client,
  { staged }: Pick<TableLog, 'staged'>,
): Promise<Map<string, number>> {
  const { rows } = await client.query<{ name: string; values: number }>(
    `select name, count(*) as values
     from (select new - $1::text[] as rest from thaw_log) as log, jsonb_object_keys(log.rest) as name
     group by name order by name`,
    [staged.target.columns.map(({ name }) => name)],
  );
  return new Map(rows.map(({ name, values }) => [name, values]));
}

/** Counts the changes that were read. */
export async function countChanges(
  client: pg.Client,
): Promise<{ readonly inserts: number; readonly updates: number; readonly deletes: number }> {
  const { rows } = await client.query<{ inserts: number; updates: number; deletes: number }>(
    `select count(*) filter (where operation = 'INSERT') as inserts,
       count(*) filter (where operation = 'UPDATE') as updates,
       count(*) filter (where operation = 'DELETE') as deletes
     from thaw_log`,
  );
  return rows[0] ?? { inserts: 0, updates: 0, deletes: 0 };
}

function valuesOf(names: readonly string[], { after, xactSnapshot, until, tenant }: ReplayWindow): unknown[] {
  return [
    names,
    until,
    after,
    ...(xactSnapshot === null ? [] : [xactSnapshot]),
    ...(tenant ? [tenant.value] : []),
  ];
}

/** The condition that an entry, there called `log`, counts, with the parameters of {@link valuesOf}. */
function inWindow(log: ChangeLog, { xactSnapshot, tenant }: ReplayWindow): string {
  const conditions = ['log.table_name = any ($1)', 'log.changed_at <= $2::timestamptz'];
  if (xactSnapshot === null) conditions.push('log.changed_at > $3::timestamptz');
  else {
    conditions.push(
      `log.changed_at > $3::timestamptz - interval '${longestTransaction}'`,
      `not pg_visible_in_snapshot(${fullXid('log.xmin', '$4::pg_snapshot')}, $4::pg_snapshot)`,
    );
  }
  if (tenant !== null) {
    // Without a cast, which would not use the index.
    conditions.push(log.hasTenant ? `log.tenant_id = $${xactSnapshot === null ? 4 : 5}` : 'false');
  }
  return conditions.join(' and ');
}

/** The transaction that wrote a row, with its epoch: the one nearest to a snapshot. */
function fullXid(xmin: string, snapshot: string): string {
  const near = `pg_snapshot_xmax(${snapshot})::text::bigint`;
  const half = 2 ** 31;
  const distance = `(${xmin}::text::bigint - ${near} % ${2 ** 32} + ${half + 2 ** 32}) % ${2 ** 32} - ${half}`;
  return `greatest(${near} + ${distance}, 0)::text::xid8`;
}

/** Columns that a stage has and its snapshot has not: what the log tells of them has nothing to be compared with. */
function missingColumns({ target, columns }: StagedTable): string[] {
  const present = new Set(columns.map(({ name }) => name));
  return stageColumns(target).flatMap(({ name }) => (present.has(name) ? [] : [name]));
}

/** Query for the changes with the keys of their rows before (`o0`, …) and after (`n0`, …). */
function changesQuery(
  { log, key }: Pick<TableLog, 'log' | 'staged' | 'key'>,
  condition: string,
  missing: number,
): string {
  const [only] = key;
  const isSingle = key.length === 1 && only !== undefined;
  const object = (column: string) =>
    `case when jsonb_typeof(log.${column}::jsonb) = 'object' then log.${column}::jsonb - $${missing}::text[] end`;
  const hasKey = (row: string) =>
    `num_nulls(${key.map((name) => `${row} ->> ${quoteLiteral(name)}`).join(', ')}) = 0`;
  const keyOf = (row: string) => {
    const fields = key.map((name, index) => `'k${index}', ${row} -> ${quoteLiteral(name)}`);
    return `case when ${hasKey(row)} then jsonb_build_object(${fields.join(', ')}) end`;
  };
  const keys = (side: string) => key.map((_, index) => `${side}.k${index} as ${side}${index}`).join(', ');
  // Without the offsets, what one step computes would be computed anew wherever a later one looks at it.
  return `
    with entries as (
      select log.changed_at as at, ${log.sequence === null ? 'null::bigint' : `log.${quoteIdentifier(log.sequence)}::bigint`} as sequence,
        log.tableoid as part, log.ctid as tuple, ${log.hasId ? 'log.id::text' : 'null::text'} as entry,
        ${log.hasRecordId ? 'log.record_id::text' : 'null::text'} as record, upper(log.operation::text) as operation,
        ${object('old_data')} as old, ${object('new_data')} as new
      from ${qualifiedName(log.schema, log.table)} as log
      where ${condition} offset 0
    ), named as (
      select *, ${
        isSingle && log.hasRecordId
          ? `case when record is null then '{}' else jsonb_build_object(${quoteLiteral(only)}, record) end`
          : `'{}'::jsonb`
      } as given
      from entries offset 0
    ), began as (
      select *, case
          when operation = 'INSERT' then null
          when ${hasKey(`(given || coalesce(old, '{}'))`)} then given || coalesce(old, '{}')
          when operation = 'UPDATE' then new
        end as was
      from named offset 0
    ), ended as (
      select *, case when operation <> 'DELETE' then coalesce(was, given) || new end as becomes
      from began offset 0
    )
    select row_number() over (order by at, sequence, part, tuple) as place, at, sequence, entry, record, operation,
      case when operation <> 'INSERT' then old end as old,
      case when operation <> 'DELETE' then given || new end as new,
      ${keys('o')}, ${keys('n')}
    from ended
    left join lateral jsonb_populate_record(null::pg_temp.thaw_keys, ${keyOf('was')}) as o on true
    left join lateral jsonb_populate_record(null::pg_temp.thaw_keys, ${keyOf('becomes')}) as n on true`;
}
