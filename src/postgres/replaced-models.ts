import type pg from 'pg';
import { qualifiedName } from './identifier.ts';

/** A table whose rows change or go when rows of another are deleted. */
export interface DependentTable {
  readonly name: string;
  readonly parent: string;
}

/**
 * Tables with rows, other than the given ones, whose foreign keys do more than refuse when rows of the given
 * tables are deleted: `on delete cascade`, `set null`, `set default`.
 */
export async function readDependents(client: pg.Client, oids: readonly number[]): Promise<DependentTable[]> {
  const { rows } = await client.query<{ schema: string; table: string; parent: string }>(
    `select distinct n.nspname as schema, child.relname as table, parent.relname as parent
     from pg_constraint k
     join pg_class child on child.oid = k.conrelid
     join pg_namespace n on n.oid = child.relnamespace
     join pg_class parent on parent.oid = k.confrelid
     where k.contype = 'f' and k.confdeltype in ('c', 'n', 'd')
       and k.confrelid = any($1::oid[]) and k.conrelid <> all($1::oid[])
     order by 1, 2, 3`,
    [oids],
  );
  const dependents: DependentTable[] = [];
  for (const { schema, table, parent } of rows) {
    const { rowCount } = await client.query(`select from ${qualifiedName(schema, table)} limit 1`);
    if ((rowCount ?? 0) > 0) dependents.push({ name: `${schema}.${table}`, parent });
  }
  return dependents;
}

/** Keeps others from writing into tables of a schema until the transaction ends; they may read them as they were. */
export async function lockAgainstWrites(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<void> {
  const names = tables.map((table) => qualifiedName(schema, table));
  await client.query(`lock table ${names.join(', ')} in share row exclusive mode`);
}

/** Counts the rows of tables of a schema, in their order. */
export async function countRows(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<number[]> {
  const counts = tables.map(
    (table, place) => `select ${place} as place, count(*) as count from ${qualifiedName(schema, table)}`,
  );
  const { rows } = await client.query<{ count: number }>(`${counts.join(' union all ')} order by place`);
  return rows.map(({ count }) => count);
}

/** Deletes the rows of tables of a schema, in their order. */
export async function deleteRows(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<void> {
  await client.query(tables.map((table) => `delete from ${qualifiedName(schema, table)}`).join(';\n'));
}

/** Has foreign keys that allow it checked at the end of the transaction, or now. */
export async function setConstraints(client: pg.Client, when: 'deferred' | 'immediate'): Promise<void> {
  await client.query(`set constraints all ${when}`);
}
