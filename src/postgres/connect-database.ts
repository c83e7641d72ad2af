import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import { databasePassword } from '../config/database-config.ts';
import type { DatabaseConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type ConnectOptions, connect, disconnect } from './connection.ts';

/**
 * Opens a connection to a configured database, with TLS as its `sslmode` says.
 *
 * @param env where its password is looked for
 * @throws ThawError `ConfigInvalid` when the password's variable is not set, and what {@link connect} throws
 */
export async function connectDatabase(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  options: ConnectOptions,
): Promise<pg.Client> {
  const { host, port, name, user, sslMode } = database;
  const config = { host, port, database: name, user, password: databasePassword(database, env) };
  const ssl = await tlsOf(database);
  try {
    return await connect({ ...config, ssl }, options);
  } catch (error) {
    const plainAllowed = sslMode === 'prefer' && ssl !== false;
    if (plainAllowed && offersNoTls(error)) return connect({ ...config, ssl: false }, options);
    throw error;
  }
}

/** Does something with a connection of its own, which the signal closes at once. @throws what {@link connectDatabase} throws */
export async function withDatabase<T>(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  options: ConnectOptions,
  action: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectDatabase(database, env, options);
  const abandon = () => void disconnect(client);
  options.signal?.addEventListener('abort', abandon, { once: true });
  try {
    return await action(client);
  } finally {
    options.signal?.removeEventListener('abort', abandon);
    await disconnect(client);
  }
}

/** As libpq reads `sslmode`: only the two `verify` modes look at the certificate, and only the last at its name. */
async function tlsOf({ host, sslMode, sslRootCert }: DatabaseConfig): Promise<false | ConnectionOptions> {
  // A Unix socket has no TLS.
  if (sslMode === 'disable' || sslMode === 'allow' || host.startsWith('/')) return false;
  if (sslMode === 'prefer' || sslMode === 'require') return { rejectUnauthorized: false };
  const authorities = sslRootCert === null ? {} : { ca: await readFile(sslRootCert, 'utf8') };
  return sslMode === 'verify-ca' ? { ...authorities, checkServerIdentity: () => undefined } : authorities;
}

function offersNoTls(error: unknown): boolean {
  return (
    error instanceof ThawError &&
    error.cause instanceof Error &&
    /does not support SSL/i.test(error.cause.message)
  );
}
