import type pg from 'pg';
import type { TenantPart } from '../../../src/contract/snapshot.ts';
import { readTarget } from '../../../src/postgres/catalog.ts';
import { qualifiedName } from '../../../src/postgres/identifier.ts';
import type { StagedTable } from '../../../src/postgres/snapshot-differences.ts';

/** Stages a table of the schema `stage` as the snapshot of the table of the same name in `public`. */
export async function stagedTable(
  client: pg.Client,
  table: string,
  { tenant = null, newerBy = null }: { tenant?: TenantPart | null; newerBy?: string | null } = {},
): Promise<StagedTable> {
  const target = await readTarget(client, 'public', table);
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [qualifiedName('stage', table)],
  );
  const columns = target.columns.filter(
    ({ name, generated }) => generated === null && rows.some((row) => row.name === name),
  );
  return { target, stage: { schema: 'stage', table }, columns, tenant, newerBy };
}

/** The rows of a table as PostgreSQL's text, sorted. */
export async function rowsOf(client: pg.Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ row: string }>(`select t::text as row from ${table} as t order by 1`);
  return rows.map(({ row }) => row);
}
