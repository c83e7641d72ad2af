import type pg from 'pg';

/** What a server has of what a dump needs. */
export interface ServerAbilities {
  /** Such as `15.18`. */
  readonly version: string;
  readonly major: number;
  /** Extensions that are not installed on its machine. */
  readonly missingExtensions: readonly string[];
  readonly missingRoles: readonly string[];
}

/** Reads what a server is, and which of some extensions and roles it does not have. */
export async function readAbilities(
  client: pg.Client,
  extensions: readonly string[],
  roles: readonly string[],
): Promise<ServerAbilities> {
  const { rows } = await client.query<ServerAbilities>(
    `select split_part(current_setting('server_version'), ' ', 1) as version,
       current_setting('server_version_num')::integer / 10000 as major,
       array(
         select name from unnest($1::text[]) as name
         where name not in (select e.name::text from pg_available_extensions e) order by name
       ) as "missingExtensions",
       array(
         select name from unnest($2::text[]) as name
         where name not in (select rolname::text from pg_roles) order by name
       ) as "missingRoles"`,
    [extensions, roles],
  );
  const [abilities] = rows;
  if (abilities === undefined) throw new TypeError('a query without a table gives one row');
  return abilities;
}
