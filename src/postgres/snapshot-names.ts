import type pg from 'pg';
import type { TableName } from './foreign-keys.ts';

/**
 * The tables that a snapshot of the source system means by names such as `orders` and `sales.orders`, without quotes:
 * a plain one is of one of the schemas, the first that has it, or else of `public`.
 *
 * @param schemas to look for plain names in, first come first
 * @returns in the order of the names; of one that is no table, where it would be
 */
export async function resolveTableNames(
  client: pg.Client,
  names: readonly string[],
  schemas: readonly string[],
): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
    `select coalesce(found.schema, ($2::text[])[1]) as schema, coalesce(found."table", name.text) as "table"
     from unnest($1::text[]) with ordinality as name (text, place)
     left join lateral (
       select n.nspname as schema, c.relname as "table"
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p')
         and (c.relname = name.text and n.nspname = any($2::text[])
           or strpos(name.text, '.') > 0 and n.nspname = split_part(name.text, '.', 1)
             and c.relname = substr(name.text, strpos(name.text, '.') + 1))
       order by c.relname <> name.text, array_position($2::text[], n.nspname::text)
       limit 1
     ) as found on true
     order by name.place`,
    [names, [...schemas, 'public']],
  );
  return rows;
}
