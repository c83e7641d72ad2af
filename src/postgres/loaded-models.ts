import type pg from 'pg';
import type { TargetTable } from './catalog.ts';

/** What has to be known of a table to finish it. */
export interface LoadedModel extends Pick<TargetTable, 'schema' | 'table' | 'kind'> {
  /** Some column takes values of a sequence. */
  readonly hasSequence: boolean;
}

/** Reads, in one query, what of some tables of a schema is left to do: few have sequences, and the catalog of each is long. */
export async function readLoadedModels(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<LoadedModel[]> {
  const { rows } = await client.query<LoadedModel>(
    `with loaded as (
       select c.oid, c.relname, c.relkind, coalesce(pg_partition_root(c.oid)::oid, c.oid) as root_oid
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relname = any($2)
     ), fed as (
       select d.refobjid as oid from pg_depend d
       join pg_class s on s.oid = d.objid and s.relkind = 'S'
       where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
       union
       select f.adrelid from pg_attrdef f
       join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
       join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
     )
     select $1 as schema, relname as table,
       case relkind when 'r' then 'table' when 'p' then 'partitioned table' else 'view' end as kind,
       oid in (select oid from fed) or root_oid in (select oid from fed) as "hasSequence"
     from loaded order by relname`,
    [schema, tables],
  );
  return rows;
}
