import type pg from 'pg';

/** A type to look for. */
export interface WantedType {
  /** `pg_type.typname`; null: nobody knows. */
  readonly name: string | null;
  /** Not to be found in `pg_catalog`. */
  readonly userDefined: boolean;
}

/** A type as the catalog has it. */
export interface FoundType {
  readonly schema: string;
  readonly name: string;
}

/**
 * Looks types up by their names, as PostgreSQL does: its own first, then in some schemas, then where the search
 * path leads. A name is only compared, and never read as SQL.
 *
 * @returns in the order of those wanted; null for one that is not there or may not be used
 */
export async function findTypes(
  client: pg.Client,
  wanted: readonly WantedType[],
  schemas: readonly string[],
): Promise<(FoundType | null)[]> {
  const { rows } = await client.query<{ schema: string | null; name: string }>(
    `select found.schema, wanted.name
     from unnest($1::text[], $2::bool[]) with ordinality as wanted (name, user_defined, place)
     left join lateral (
       select n.nspname as schema
       from pg_type t join pg_namespace n on n.oid = t.typnamespace
       where t.typname = wanted.name and t.typtype <> 'p'
         and (n.nspname <> 'pg_catalog' or not wanted.user_defined)
         and has_schema_privilege(n.oid, 'usage') and has_type_privilege(t.oid, 'usage')
         and (n.nspname = any($3::text[]) or pg_type_is_visible(t.oid))
       order by n.nspname <> 'pg_catalog', array_position($3::text[], n.nspname::text)
       limit 1
     ) as found on true
     order by wanted.place`,
    [wanted.map(({ name }) => name), wanted.map(({ userDefined }) => userDefined), schemas],
  );
  return rows.map(({ schema, name }) => (schema === null ? null : { schema, name }));
}
