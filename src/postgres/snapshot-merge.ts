import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { rowsOf } from './merge-sql.ts';
import type { Differences } from './snapshot-differences.ts';

/** Where a difference finds its row of the target. */
const here = 'live.tableoid = change.part and live.ctid = change.live';

/**
 * Deletes what the snapshot does not have, and what {@link insertMissing} inserts anew: rows that have other values
 * in a unique index, which may have been swapped among them.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function deleteSurplus(
  client: pg.Client,
  { staged: { target }, table }: Differences,
): Promise<void> {
  await client.query(
    `delete from ${rowsOf(target)} as live using ${table} as change
     where ${here} and (change.kind = 'delete' or change.moves)`,
  );
}

/**
 * Updates the rows that differ in no unique index.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function updateChanged(client: pg.Client, differences: Differences): Promise<void> {
  const { staged, fixed } = differences;
  const { target, columns } = staged;
  const set = columns
    .filter(({ name }) => !fixed.has(name))
    .map(({ name }) => quoteIdentifier(name))
    .map((name) => `${name} = staged.${name}`);
  if (set.length === 0) return;
  await client.query(
    `update ${rowsOf(target)} as live set ${set.join(', ')}
     from ${stagedChanges(differences)}
     where ${here} and change.kind = 'update' and not change.moves`,
  );
}

/**
 * Inserts what the target does not have.
 *
 * @param isWhole the target has nothing of the snapshot
 * @throws what PostgreSQL answers, raw
 */
export async function insertMissing(
  client: pg.Client,
  differences: Differences,
  isWhole: boolean,
): Promise<void> {
  const { stage } = differences.staged;
  const from = isWhole
    ? `${qualifiedName(stage.schema, stage.table)} as staged`
    : `${stagedChanges(differences)} where change.kind = 'insert'`;
  await insertRows(client, differences, [], [], from);
}

/**
 * Inserts what {@link deleteSurplus} took away to that end.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function insertMoved(client: pg.Client, differences: Differences): Promise<void> {
  const more = differences.kept.map(({ name }) => quoteIdentifier(name));
  const values = more.map((_, index) => `change.kept_${index}`);
  await insertRows(client, differences, more, values, `${stagedChanges(differences)} where change.moves`);
}

async function insertRows(
  client: pg.Client,
  { staged: { target, columns } }: Differences,
  more: readonly string[],
  values: readonly string[],
  from: string,
): Promise<void> {
  const names = columns.map(({ name }) => quoteIdentifier(name));
  await client.query(
    `insert into ${qualifiedName(target.schema, target.table)} (${[...names, ...more].join(', ')})
       overriding system value
     select ${[...names.map((name) => `staged.${name}`), ...values].join(', ')} from ${from}`,
  );
}

/** Differences with their rows in the stage. */
function stagedChanges({ staged: { stage }, table }: Differences): string {
  return `${table} as change join ${qualifiedName(stage.schema, stage.table)} as staged on staged.ctid = change.staged`;
}

/** What joins of whole tables may take of memory before they use the disk. */
const joinMemory = '64MB';

/** Lets the joins of the transaction that is open have memory, where they have little. */
export async function widenJoins(client: pg.Client): Promise<void> {
  await client.query(
    `select set_config('work_mem', $1, true)
     where pg_size_bytes(current_setting('work_mem')) < pg_size_bytes($1)`,
    [joinMemory],
  );
}

/** Whether the transaction that is open has written no row of a table; false where PostgreSQL does not count them. */
export async function isUntouched(client: pg.Client, { oid }: Pick<TargetTable, 'oid'>): Promise<boolean> {
  const { rows } = await client.query<{ untouched: boolean }>(
    `select current_setting('track_counts')::boolean and not exists (
       select from (select $1::oid union select relid from pg_partition_tree($1::oid::regclass)) as part (oid)
       where pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
         + pg_stat_get_xact_tuples_deleted(oid) > 0
     ) as untouched`,
    [oid],
  );
  return rows[0]?.untouched === true;
}
