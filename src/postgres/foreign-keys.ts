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
    const { rows: found } = await client.query<TableName & { readonly oid: number }>(tablesSql, [
      tables.map(({ schema }) => schema),
      tables.map(({ table }) => table),
    ]);
    const names = new Map(found.map(({ oid, schema, table }) => [oid, { schema, table }]));
    const { rows } = await client.query<KeyRow>(foreignKeysSql, [[...names.keys()]]);
    const keys = rows.flatMap(({ name, deferrable, child_oid, parent_oid }): ForeignKey[] => {
      const [child, parent] = [names.get(child_oid), names.get(parent_oid)];
      return child === undefined || parent === undefined ? [] : [{ name, child, parent, deferrable }];
    });
    return keys.sort((a, b) => compare(sortKey(a), sortKey(b)));
  } catch (error) {
    throw databaseError(error, { object: 'foreign keys' });
  }
}

function sortKey({ child, name }: ForeignKey): readonly string[] {
  return [child.schema, child.table, name];
}

function compare(a: readonly string[], b: readonly string[]): number {
  const place = a.findIndex((text, at) => text !== b[at]);
  return place === -1 ? 0 : (a[place] ?? '') < (b[place] ?? '') ? -1 : 1;
}

interface KeyRow {
  readonly name: string;
  readonly deferrable: boolean;
  readonly child_oid: number;
  readonly parent_oid: number;
}

const tablesSql = `
  select c.oid, name.schema, name.table
  from unnest($1::text[], $2::text[]) as name (schema, "table")
  join pg_namespace n on n.nspname = name.schema
  join pg_class c on c.relnamespace = n.oid and c.relname = name.table`;

/**
 * Oids are compared with lists: statistics do not know of tables that were made just now, and a join would compare
 * thousands of them with thousands of keys, one by one.
 */
const foreignKeysSql = `
  select distinct on (child.oid, parent.oid, root.oid)
    k.conname as name, k.condeferrable as deferrable, child.oid as child_oid, parent.oid as parent_oid
  from pg_constraint k
  -- a key of a partitioned table has a copy for each partition, on either side: they are one
  cross join lateral (select coalesce(nullif(k.conparentid, 0), k.oid) as oid) as root
  cross join lateral (values (k.conrelid), (pg_partition_root(k.conrelid)::oid)) as child (oid)
  cross join lateral (values (k.confrelid), (pg_partition_root(k.confrelid)::oid)) as parent (oid)
  where k.contype = 'f' and child.oid <> parent.oid and child.oid = any($1::oid[]) and parent.oid = any($1::oid[])
  order by child.oid, parent.oid, root.oid, k.oid`;
