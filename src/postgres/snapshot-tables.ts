import type pg from 'pg';
import type { SnapshotColumn, SnapshotForeignKey, SnapshotTableName } from '../contract/snapshot.ts';
import { qualifiedName } from './identifier.ts';

/** A table as a snapshot needs to know it. */
export interface TableFacts extends SnapshotTableName {
  readonly oid: number;
  readonly kind: 'table' | 'partitioned table';
  readonly key: readonly string[] | null;
  readonly columns: readonly (SnapshotColumn & {
    /** The type without domains and modifier, whose checks and bounds a cast would apply. */
    readonly castType: string;
  })[];
  readonly foreignKeys: readonly SnapshotForeignKey[];
  /** On disk, partitions included: what takes longest is begun first. */
  readonly diskBytes: number;
}

/** A table that was looked for by name. */
export interface FoundTable extends SnapshotTableName {
  readonly oid: number;
}

/** Tables by their names, and all of whole schemas but partitions of others: each once, by schema and name. */
export async function findTables(
  client: pg.ClientBase,
  tables: readonly SnapshotTableName[],
  schemas: readonly string[],
): Promise<FoundTable[]> {
  const { rows } = await client.query<FoundTable>(
    `select c.oid::int8::float8 as oid, n.nspname::text as schema, c.relname::text as table
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p')
       and (n.nspname = any ($3::text[]) and not c.relispartition
         or exists (select from unnest($1::text[], $2::text[]) as asked (schema, name)
           where asked.schema = n.nspname and asked.name = c.relname))
     order by n.nspname, c.relname`,
    [tables.map(({ schema }) => schema), tables.map(({ table }) => table), schemas],
  );
  return rows;
}

/** What is known of tables. Types are written for a search path of `pg_catalog` alone, which the session has to have. */
export async function readTableFacts(
  client: pg.ClientBase,
  tables: readonly FoundTable[],
): Promise<TableFacts[]> {
  const { rows } = await client.query<TableFacts>(factsSql, [tables.map(({ oid }) => oid)]);
  return rows;
}

const factsSql = `
  select c.oid::int8::float8 as oid, n.nspname::text as schema, c.relname::text as table,
    case c.relkind when 'p' then 'partitioned table' else 'table' end as kind,
    (select json_agg(a.attname order by part.position)
      from (
        select i.indrelid, i.indkey, i.indnkeyatts from pg_index i
        where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
          and not exists (select from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as used (attnum)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = used.attnum where not a.attnotnull)
        order by i.indisprimary desc, i.indexrelid limit 1
      ) as best
      cross join unnest((best.indkey::int2[])[0:best.indnkeyatts - 1]) with ordinality as part (attnum, position)
      join pg_attribute a on a.attrelid = best.indrelid and a.attnum = part.attnum
    ) as key,
    coalesce((select json_agg(json_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'castType', (
          with recursive type as (
            select t.oid, t.typtype, t.typbasetype from pg_type t where t.oid = a.atttypid
            union all
            select t.oid, t.typtype, t.typbasetype from type join pg_type t on t.oid = type.typbasetype
            where type.typtype = 'd'
          )
          select format_type(oid, -1) from type where typtype <> 'd'
        ),
        'notNull', a.attnotnull,
        'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
        'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
        'generated', case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end
      ) order by a.attnum)
      from pg_attribute a
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ), '[]') as columns,
    coalesce((select json_agg(json_build_object(
        'name', k.conname,
        'definition', pg_get_constraintdef(k.oid),
        'columns', (select json_agg(a.attname order by part.position)
          from unnest(k.conkey) with ordinality as part (attnum, position)
          join pg_attribute a on a.attrelid = k.conrelid and a.attnum = part.attnum),
        'referenced', json_build_object('schema', rn.nspname, 'table', r.relname),
        'referencedColumns', (select json_agg(a.attname order by part.position)
          from unnest(k.confkey) with ordinality as part (attnum, position)
          join pg_attribute a on a.attrelid = k.confrelid and a.attnum = part.attnum),
        'deferrable', k.condeferrable,
        'validated', k.convalidated
      ) order by k.conname)
      from pg_constraint k
      join pg_class r on r.oid = k.confrelid
      join pg_namespace rn on rn.oid = r.relnamespace
      where k.conrelid = c.oid and k.contype = 'f'
    ), '[]') as "foreignKeys",
    (select coalesce(sum(pg_table_size(part.relid)), 0) from (
      select c.oid as relid where c.relkind = 'r'
      union all select tree.relid from pg_partition_tree(c.oid) as tree where c.relkind = 'p' and tree.isleaf
    ) as part)::float8 as "diskBytes"
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = any ($1::oid[])
  order by n.nspname, c.relname`;

/** Holds tables against what would change their form or empty them, until the transaction ends. */
export async function holdTables(client: pg.ClientBase, tables: readonly SnapshotTableName[]): Promise<void> {
  const names = tables.map(({ schema, table }) => qualifiedName(schema, table));
  await client.query(`lock table ${names.join(', ')} in access share mode`);
}
