import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { databaseError } from './sqlstate.ts';

/** Where a database is and who asks. The password is never repeated anywhere. */
export interface ConnectionConfig {
  /** Host name, address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string | undefined;
  /** TLS; what `PGSSLMODE` says when absent. */
  readonly ssl?: boolean | ConnectionOptions | undefined;
}

/** How a connection is opened. */
export interface ConnectOptions {
  /** Shown in `pg_stat_activity`, by which left-over sessions are found; see {@link applicationName}. */
  readonly applicationName: string;
  /** Gives the attempt to connect up. An open connection is not touched: see {@link disconnect}. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds after which a server that does not answer at all counts as unreachable. */
const connectTimeout = 10_000;

/** What must hold for values to be read and written exactly and for waits to be ours to bound. */
const requiredSettings: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  // A fragment is a value of type xml too.
  xmloption: 'content',
  client_min_messages: 'warning',
  // A database may have another default; fences and turns need to see what committed while they waited.
  default_transaction_isolation: 'read committed',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  // Where it is off, a crash takes commits back that Temporal counts as done, and nothing does them again.
  synchronous_commit: 'on',
};

/** What helps but is not in every version or on every platform. */
const desiredSettings: Readonly<Record<string, string>> = {
  // Archived amounts read "$1,234.56".
  lc_monetary: 'C',
  // A COPY that waits for a dead client would otherwise wait, with its locks, for ever.
  tcp_keepalives_idle: '15',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '30000',
  // And a merge that a dead client began would otherwise run to its end.
  client_connection_check_interval: '10s',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  // Compiling costs more than it gains: the statements are simple, and each connection would pay again.
  jit: 'off',
};

/**
 * Opens a connection with the session settings of Thaw, set in one round trip; the user's `search_path`
 * is left alone. A connection that is lost later fails the query under way
 * and all after it, and never the process.
 *
 * Results: int2, int4, oid and floats as numbers, int8 as a number or, beyond 2^53, as text; booleans,
 * json, bytea (`Buffer`) and arrays of text, name, int4 or oid as such; everything else, dates and numeric
 * too, as PostgreSQL's text.
 *
 * @throws ThawError, as {@link databaseError} classifies it; the signal's reason when it was aborted.
 */
export async function connect(database: ConnectionConfig, options: ConnectOptions): Promise<pg.Client> {
  const { signal } = options;
  signal?.throwIfAborted();
  // Our own socket, because the driver's end() waits for a server that says nothing.
  const socket = new Socket();
  const client = new pg.Client({
    stream: () => socket,
    host: database.host,
    port: database.port,
    database: database.database,
    user: database.user,
    ...(database.password === undefined ? {} : { password: database.password }),
    ...(database.ssl === undefined ? {} : { ssl: database.ssl }),
    // Sent at the start, so that the session is never without its name.
    application_name: applicationName(options.applicationName),
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: 15_000,
    types: { getTypeParser },
  });
  // The query under way is told of the loss as well; without a listener it would end the process.
  client.on('error', () => {});
  sockets.set(client, socket);
  const abandon = () => socket.destroy();
  signal?.addEventListener('abort', abandon, { once: true });
  try {
    await client.connect();
    await applySettings(client);
    signal?.throwIfAborted();
    return client;
  } catch (error) {
    abandon();
    signal?.throwIfAborted();
    throw databaseError(error, { object: `${database.host}:${database.port}/${database.database}` });
  } finally {
    signal?.removeEventListener('abort', abandon);
  }
}

/** The sockets below the clients, to close where the protocol gets no answer. */
const sockets = new WeakMap<pg.Client, Socket>();

/** Milliseconds that a server gets to say good-bye. */
const farewell = 2_000;

/**
 * Ends a connection, whatever state it is in: an open transaction rolls back, a query or COPY under way
 * is broken off. Never throws, and never waits for a server that does not answer.
 */
export async function disconnect(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => sockets.get(client)?.destroy(), farewell);
  try {
    await client.end();
  } catch {
    // It is gone already.
  } finally {
    clearTimeout(timer);
  }
}

/** Bytes that PostgreSQL keeps of an application name. */
const nameLimit = 63;

/**
 * The name as `pg_stat_activity` will show it: PostgreSQL replaces what is not printable ASCII and cuts
 * at 63 bytes, so a long name is shortened here and ends in a digest of the whole, and two that differ
 * only in their end stay apart. Compare `application_name` with this function's result.
 */
export function applicationName(name: string): string {
  const ascii = name.replaceAll(/[^\x20-\x7e]/g, '?');
  if (ascii === name && ascii.length <= nameLimit) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${ascii.slice(0, nameLimit - digest.length - 1)}~${digest}`;
}

async function applySettings(client: pg.Client): Promise<void> {
  const required = Object.entries(requiredSettings);
  const desired = Object.entries(desiredSettings);
  try {
    await client.query(settingsQuery([...required, ...desired]));
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    // A platform without the connection check, or a pooler with a mind of its own.
    await client.query(settingsQuery(required));
  }
}

function settingsQuery(settings: readonly (readonly [string, string])[]): pg.QueryConfig {
  return {
    text: `
      select set_config(name, value, false)
      from unnest($1::text[], $2::text[]) as setting (name, value)
      where current_setting(name, true) is not null
        -- stricter settings of the user are kept
        and (name <> 'synchronous_commit' or current_setting(name) = 'off')`,
    values: [settings.map(([name]) => name), settings.map(([, value]) => value)],
  };
}

/** Type oids whose parser of pg loses nothing: bool, bytea, int2, int4, oid, float4, float8, json, jsonb, and arrays of text, name, int4, oid. */
const exactTypes = new Set([16, 17, 21, 23, 26, 700, 701, 114, 3802, 1009, 1003, 1007, 1028]);
const int8Oid = 20;

/** Parsers of one connection: `pg.types.setTypeParser` would change them for whoever else uses pg in the process. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') => {
  if (format === 'binary') return pg.types.getTypeParser(oid, 'binary');
  if (oid === int8Oid) return parseInt8;
  return exactTypes.has(oid) ? pg.types.getTypeParser(oid, 'text') : (text: string) => text;
};

function parseInt8(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}
