import type pg from 'pg';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import type { Shadow } from './shadow.ts';

/** A foreign key of a target. */
export interface Reference {
  /** Of the constraint. */
  readonly name: string;
  /** The table that it refers to. */
  readonly parent: { readonly oid: number; readonly schema: string; readonly table: string };
  /** The current user may read it. */
  readonly readable: boolean;
  readonly pairs: readonly ColumnPair[];
}

/** Two columns that have to be equal. */
export interface ColumnPair {
  readonly child: string;
  readonly parent: string;
  /** `operator(schema.=)` of the parent's value and the child's. */
  readonly operator: string;
}

/** The {@link ColumnPair}s of the foreign key `k`, in its order. */
export const columnPairsSql = `(
  select json_agg(json_build_object(
    'child', c.attname, 'parent', r.attname, 'operator', format('operator(%I.%s)', s.nspname, o.oprname)
  ) order by place)
  from generate_subscripts(k.conkey, 1) as place
  join pg_attribute c on c.attrelid = k.conrelid and c.attnum = k.conkey[place]
  join pg_attribute r on r.attrelid = k.confrelid and r.attnum = k.confkey[place]
  join pg_operator o on o.oid = k.conpfeqop[place]
  join pg_namespace s on s.oid = o.oprnamespace)`;

/** Whether the rows `parent` and `child` are the same in all pairs, as SQL. */
export function samePairsSql(pairs: readonly ColumnPair[]): string {
  return pairs
    .map(
      (pair) =>
        `parent.${quoteIdentifier(pair.parent)} ${pair.operator} child.${quoteIdentifier(pair.child)}`,
    )
    .join(' and ');
}

/** Reads the foreign keys of a table. */
export async function readReferences(client: pg.Client, oid: number): Promise<Reference[]> {
  const { rows } = await client.query<{ reference: Reference }>(
    `select json_build_object(
       'name', k.conname,
       'parent', json_build_object('oid', p.oid::int8, 'schema', n.nspname, 'table', p.relname),
       'readable', has_table_privilege(p.oid, 'select') and has_schema_privilege(n.oid, 'usage'),
       'pairs', ${columnPairsSql}
     ) as reference
     from pg_constraint k
     join pg_class p on p.oid = k.confrelid
     join pg_namespace n on n.oid = p.relnamespace
     -- a key to a partitioned table has one more for each of its partitions
     where k.contype = 'f' and k.conrelid = $1 and not exists (
       select from pg_constraint whole where whole.oid = k.conparentid and whole.conrelid = k.conrelid)
     order by k.conname`,
    [oid],
  );
  return rows.map(({ reference }) => reference);
}

/**
 * Counts rows of a shadow that refer to rows which are neither in the table that is referred to nor in its
 * shadow.
 *
 * @param parent null: nothing is restored into that table
 */
export async function countDangling(
  client: pg.Client,
  child: Shadow,
  { parent: { schema, table }, pairs }: Reference,
  parent: Shadow | null,
): Promise<number> {
  const same = samePairsSql(pairs);
  const tables = [qualifiedName(schema, table), ...(parent === null ? [] : [parent.table])];
  const { rows } = await client.query<{ rows: number }>(
    `select count(*) as rows from ${child.table} as child
     where ${pairs.map((pair) => `child.${quoteIdentifier(pair.child)} is not null`).join(' and ')}
       ${tables.map((name) => `and not exists (select from ${name} as parent where ${same})`).join(' ')}`,
  );
  return rows[0]?.rows ?? 0;
}
