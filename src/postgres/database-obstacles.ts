import type pg from 'pg';

/** What the user of a session may do with databases. */
export interface DatabaseRights {
  readonly user: string;
  readonly superuser: boolean;
  readonly createsDatabases: boolean;
  /** The database that the session is in. */
  readonly database: string;
}

export async function readRights(client: pg.Client): Promise<DatabaseRights> {
  const { rows } = await client.query<DatabaseRights>(
    `select current_user as user, rolsuper as superuser, rolcreatedb as "createsDatabases",
       current_database() as database
     from pg_roles where rolname = current_user`,
  );
  const [rights] = rows;
  if (rights === undefined) throw new TypeError('A session has no user.');
  return rights;
}

/** Whether the user has the rights of a role, and may give it what is its own; null where there is no such role. */
export async function mayActAs(client: pg.Client, role: string): Promise<boolean | null> {
  const { rows } = await client.query<{ may: boolean }>(
    // from version 16 a membership may come without either of the two
    `select pg_has_role(oid, 'usage') and pg_has_role(oid,
       case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) as may
     from pg_roles where rolname = $1`,
    [role],
  );
  return rows[0]?.may ?? null;
}

/** Whether the user may make databases in a tablespace. */
export async function mayUseTablespace(client: pg.Client, tablespace: string): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `select has_tablespace_privilege(oid, 'create') as may from pg_tablespace where spcname = $1`,
    [tablespace],
  );
  return rows[0]?.may ?? false;
}

/** What belongs to a database and would stay with the old one, or keep it from being renamed or dropped. */
export interface DatabaseTies {
  readonly slots: readonly string[];
  readonly subscriptions: readonly string[];
  readonly preparedTransactions: readonly string[];
}

export async function readTies(client: pg.Client, database: string): Promise<DatabaseTies> {
  const { rows } = await client.query<DatabaseTies>(
    `select
       array(select slot_name::text from pg_replication_slots where database = $1 order by 1) as slots,
       array(
         select subname::text from pg_subscription
         where subdbid = (select oid from pg_database where datname = $1) order by 1
       ) as subscriptions,
       array(select gid from pg_prepared_xacts where database = $1 order by 1) as "preparedTransactions"`,
    [database],
  );
  const [ties] = rows;
  if (ties === undefined) throw new TypeError('A query without conditions gave no row.');
  return ties;
}

/** Whether the database of a session is the one that an API of Thaw keeps saved restores, runs and logs in. */
export async function holdsControlSchema(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ holds: boolean }>(
    `select to_regclass('thaw_api.restore_runs') is not null as holds`,
  );
  return rows[0]?.holds === true;
}
