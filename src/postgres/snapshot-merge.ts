import type pg from 'pg';
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
export async function updateChanged(
  client: pg.Client,
  { staged: { target, stage, columns }, table, fixed }: Differences,
): Promise<void> {
  const set = columns
    .filter(({ name }) => !fixed.has(name))
    .map(({ name }) => quoteIdentifier(name))
    .map((name) => `${name} = staged.${name}`);
  if (set.length === 0) return;
  await client.query(
    `update ${rowsOf(target)} as live set ${set.join(', ')}
     from ${table} as change join ${qualifiedName(stage.schema, stage.table)} as staged on staged.ctid = change.staged
     where ${here} and change.kind = 'update' and not change.moves`,
  );
}

/**
 * Inserts what the target does not have, and what {@link deleteSurplus} took away to that end.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function insertMissing(
  client: pg.Client,
  { staged: { target, stage, columns }, table, kept }: Differences,
): Promise<void> {
  const names = columns.map(({ name }) => quoteIdentifier(name));
  const insert = async (more: readonly string[], values: readonly string[], which: string) => {
    await client.query(
      `insert into ${qualifiedName(target.schema, target.table)} (${[...names, ...more].join(', ')})
         overriding system value
       select ${[...names.map((name) => `staged.${name}`), ...values].join(', ')}
       from ${table} as change join ${qualifiedName(stage.schema, stage.table)} as staged on staged.ctid = change.staged
       where ${which}`,
    );
  };
  await insert([], [], `change.kind = 'insert'`);
  const more = kept.map(({ name }) => quoteIdentifier(name));
  await insert(
    more,
    more.map((_, index) => `change.kept_${index}`),
    'change.moves',
  );
}
