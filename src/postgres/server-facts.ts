import type pg from 'pg';

/** The major version of a server, such as 15. */
export async function serverMajor(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ number: number }>(
    `select current_setting('server_version_num')::int / 10000 as number`,
  );
  return rows[0]?.number ?? 0;
}

/** Bytes on disk of the database that a session is in. */
export async function databaseBytes(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    'select pg_database_size(current_database())::float8 as bytes',
  );
  return rows[0]?.bytes ?? 0;
}

/** The names of all roles of a server. */
export async function roleNames(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('select rolname as name from pg_roles');
  return rows.map(({ name }) => name);
}

/** The names of all schemas of a database. */
export async function schemaNames(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('select nspname as name from pg_namespace');
  return rows.map(({ name }) => name);
}
