import type pg from 'pg';
import { databaseError } from './sqlstate.ts';

/** A table by name. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** One table refers to another. */
export interface ForeignKey {
  /** Name of the constraint. */
  readonly name: string;
  /** The table that refers. */
  readonly child: TableName;
  /** The table that is referred to, and so has to be restored first. */
  readonly parent: TableName;
  /** May be checked at commit only. */
  readonly deferrable: boolean;
}

/**
 * Reads the foreign keys among the given tables, for "parents first"; those of a table to itself are
 * left out, and names that are no tables are passed over. A key of or to a single partition counts for
 * its root as well.
 */
export async function readForeignKeys(
  client: pg.Client,
  tables: readonly TableName[],
): Promise<ForeignKey[]> {
  try {
    const { rows } = await client.query<{ key: ForeignKey }>(foreignKeysSql, [
      tables.map(({ schema }) => schema),
      tables.map(({ table }) => table),
    ]);
    return rows.map(({ key }) => key);
  } catch (error) {
    throw databaseError(error, { object: 'foreign keys' });
  }
}

const foreignKeysSql = `
  with given as materialized (
    select c.oid, name.schema, name.table
    from unnest($1::text[], $2::text[]) as name (schema, "table")
    join pg_namespace n on n.nspname = name.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = name.table
  ), link as (
    select distinct on (child.oid, parent.oid, root.oid)
      k.conname, k.condeferrable, child, parent
    from pg_constraint k
    -- a key of a partitioned table has a copy for each partition, on either side: they are one
    cross join lateral (select coalesce(nullif(k.conparentid, 0), k.oid) as oid) as root
    -- both sides by equality, as thousands of tables with thousands of keys would else be compared one by one
    cross join lateral (select k.conrelid::oid union select pg_partition_root(k.conrelid)) as near (oid)
    cross join lateral (select k.confrelid::oid union select pg_partition_root(k.confrelid)) as far (oid)
    join given child on child.oid = near.oid
    join given parent on parent.oid = far.oid
    where k.contype = 'f' and child.oid <> parent.oid
    order by child.oid, parent.oid, root.oid, k.oid
  )
  select json_build_object(
    'name', conname,
    'child', json_build_object('schema', (child).schema, 'table', (child).table),
    'parent', json_build_object('schema', (parent).schema, 'table', (parent).table),
    'deferrable', condeferrable
  ) as key
  from link
  order by (child).schema, (child).table, conname`;
