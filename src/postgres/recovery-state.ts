import type pg from 'pg';

/** How far a server is that replays WAL. */
export interface ReplayState {
  readonly isInRecovery: boolean;
  /** `X/Y`; null before anything was replayed. */
  readonly lsn: string | null;
  /** ISO 8601, of the last transaction that was replayed. */
  readonly time: string | null;
  /** It waits for somebody: PostgreSQL does that where its settings are too small for what it replays. */
  readonly isPaused: boolean;
}

/** Reads it; any role may. */
export async function readReplayState(client: pg.Client): Promise<ReplayState> {
  const { rows } = await client.query<ReplayState>(`
    select pg_is_in_recovery() as "isInRecovery", pg_last_wal_replay_lsn()::text as lsn,
      to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time,
      case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end as "isPaused"`);
  return rows[0] ?? { isInRecovery: true, lsn: null, time: null, isPaused: false };
}

/** A server that was promoted. */
export interface PromotedState {
  /** Such as `15.18`. */
  readonly version: string;
  /** The timeline that it writes. */
  readonly timeline: number;
}

/** Reads it. */
export async function readPromotedState(client: pg.Client): Promise<PromotedState> {
  const { rows } = await client.query<{ version: string; wal: string }>(`
    select split_part(current_setting('server_version'), ' ', 1) as version,
      pg_walfile_name(pg_current_wal_lsn()) as wal`);
  const [{ version, wal } = { version: '', wal: '' }] = rows;
  return { version, timeline: Number.parseInt(wal.slice(0, 8), 16) };
}

/** A database of a cluster. */
export interface ClusterDatabase {
  readonly name: string;
  readonly bytes: number;
  readonly allowsConnections: boolean;
}

/** The databases of a cluster that are no templates, by name. */
export async function listClusterDatabases(client: pg.Client): Promise<ClusterDatabase[]> {
  const { rows } = await client.query<ClusterDatabase>(`
    select datname as name, pg_database_size(oid)::float8 as bytes, datallowconn as "allowsConnections"
    from pg_database where not datistemplate order by datname`);
  return rows;
}

/** How many tables of users the database of a session has. */
export async function countTables(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ tables: number }>(`
    select count(*)::int as tables from pg_class
    where relkind in ('r', 'p') and relnamespace not in
      (select oid from pg_namespace where nspname = 'information_schema' or nspname like 'pg\\_%')`);
  return rows[0]?.tables ?? 0;
}
