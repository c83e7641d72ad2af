import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

/** A database of its own, for one test file. */
export interface TestDatabase {
  readonly name: string;
  /** Connection string, as superuser. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** A new connected client; ended by `drop` where the test has not done so. */
  client(): Promise<pg.Client>;
  /** Ends its clients and drops it, with whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database on the PostgreSQL of the run.
 *
 * @param name begins its name, for messages; @default 'thaw'
 * @param serverUrl connection string of another server's database `postgres`, for tests that have their own
 */
export async function createTestDatabase(
  name = 'thaw',
  serverUrl = inject('stack').postgresUrl,
): Promise<TestDatabase> {
  const server = new URL(serverUrl);
  const database = `${name.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')}_${randomBytes(4).toString('hex')}`;
  await asAdministrator(`create database "${database}"`, serverUrl);
  const url = new URL(server);
  url.pathname = `/${database}`;
  const clients: pg.Client[] = [];
  return {
    name: database,
    url: url.href,
    host: server.hostname,
    port: Number(server.port),
    user: server.username,
    password: decodeURIComponent(server.password),
    client: async () => {
      const client = new pg.Client({ connectionString: url.href });
      // A backend that a test or `drop` ends must not end the test process.
      client.on('error', () => undefined);
      clients.push(client);
      await client.connect();
      return client;
    },
    drop: async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await asAdministrator(`drop database if exists "${database}" with (force)`, serverUrl);
    },
  };
}

/** Runs a statement in the database `postgres`, as superuser. */
export async function asAdministrator(sql: string, serverUrl = inject('stack').postgresUrl): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
