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

/** Keeps others from writing into a table until the transaction ends; they may read it as it was. */
export async function lockAgainstWrites(client: pg.Client, schema: string, table: string): Promise<void> {
  await client.query(`lock table ${qualifiedName(schema, table)} in share row exclusive mode`);
}

/** Counts the rows of a table. */
export async function countRows(client: pg.Client, schema: string, table: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*) as count from ${qualifiedName(schema, table)}`,
  );
  return rows[0]?.count ?? 0;
}

/** Deletes the rows of a table. */
export async function deleteRows(client: pg.Client, schema: string, table: string): Promise<void> {
  await client.query(`delete from ${qualifiedName(schema, table)}`);
}

/** Has foreign keys that allow it checked at the end of the transaction, or now. */
export async function setConstraints(client: pg.Client, when: 'deferred' | 'immediate'): Promise<void> {
  await client.query(`set constraints all ${when}`);
}
