import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { type ConnectionConfig, connect } from '../../src/postgres/connection.ts';
import { asAdministrator, createTestDatabase } from '../harness/postgres.ts';

/** A database with an open session of Thaw in it, for one test file. */
export interface Session {
  readonly config: ConnectionConfig;
  /** As superuser. */
  readonly client: pg.Client;
  /** A further session; as superuser, or as a user made by `makeUser`. */
  open(user?: string, applicationName?: string): Promise<pg.Client>;
  /** Makes a user without any rights, of a name that needs quotes. */
  makeUser(): Promise<string>;
  close(): Promise<void>;
}

const password = 'secret';

/** Opens a database of its own. */
export async function openSession(name: string): Promise<Session> {
  const database = await createTestDatabase(name);
  const users: string[] = [];
  const clients: pg.Client[] = [];
  const config: ConnectionConfig = {
    host: database.host,
    port: database.port,
    database: database.name,
    user: database.user,
    password: database.password,
  };
  const open = async (user?: string, applicationName = 'test') => {
    const credentials = user === undefined ? {} : { user, password };
    const client = await connect({ ...config, ...credentials }, { applicationName });
    clients.push(client);
    return client;
  };
  return {
    config,
    client: await open(),
    open,
    makeUser: async () => {
      const user = `Test User ${randomBytes(4).toString('hex')}`;
      await asAdministrator(`create role "${user}" login password '${password}'`);
      users.push(user);
      return user;
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => {})));
      // What the users own and may goes with the database, but their roles belong to the server.
      await database.drop();
      for (const user of users) await asAdministrator(`drop role "${user}"`);
    },
  };
}
