import type pg from 'pg';
import { quoteIdentifier } from './identifier.ts';
import { rowsOf } from './merge-sql.ts';
import { isOf, type StagedTable } from './snapshot-differences.ts';

/** A table, or the tenant's part of it. */
export type TablePart = Pick<StagedTable, 'target' | 'tenant'>;

/**
 * What tells the content of a table, or of the tenant's part of it, from another: its rows' count and the sum of
 * their hashes, whatever their order. Two contents share it by chance only, once in 2^64.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function readContentMark(
  client: pg.Client,
  { target, tenant }: TablePart,
): Promise<{ readonly rows: number; readonly sum: string }> {
  const columns = target.columns
    .filter(({ generated }) => generated === null)
    .map(({ name }) => `live.${quoteIdentifier(name)}`);
  const { rows } = await client.query<{ rows: number; sum: string }>(
    `select count(*) as rows,
       coalesce(sum(hashtextextended(row(${columns.join(', ')})::text collate "C", 0)), 0)::text as sum
     from ${rowsOf(target)} as live
     ${tenant === null ? '' : `where ${isOf(target, tenant, 'live')}`}`,
    tenant === null ? [] : [tenant.value],
  );
  return rows[0] ?? { rows: 0, sum: '0' };
}
