import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { connect, disconnect } from '../../src/postgres/connection.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';

const password = 'secret';

/** Databases and roles of one test file, on the server of the run; all of them are removed by `close`. */
export class TestDatabases {
  /** Ends every name, so that files do not meet. */
  readonly mark = randomBytes(4).toString('hex');
  readonly #url = new URL(inject('stack').postgresUrl);
  readonly #roles: string[] = [];
  readonly #clients: pg.Client[] = [];

  /** A name for a database or role, with what needs quotes. */
  name(begin: string): string {
    return `${begin} "é" ${this.mark}`;
  }

  /** Makes a role that may log in, with attributes such as `createdb`. */
  async role(begin: string, attributes = ''): Promise<string> {
    const name = this.name(begin);
    await this.admin(`create role ${quoteIdentifier(name)} login password '${password}' ${attributes}`);
    this.#roles.push(name);
    return name;
  }

  /** Connection string of a database, as superuser. */
  url(database: string): string {
    const url = new URL(this.#url);
    url.pathname = `/${encodeURIComponent(database)}`;
    return url.href;
  }

  /** A session of Thaw, as superuser where no user is named. */
  async open(database = 'postgres', user?: string, applicationName = 'test'): Promise<pg.Client> {
    const { hostname, port, username } = this.#url;
    const client = await connect(
      {
        host: hostname,
        port: Number(port),
        database,
        user: user ?? username,
        password: user === undefined ? decodeURIComponent(this.#url.password) : password,
      },
      { applicationName },
    );
    this.#clients.push(client);
    return client;
  }

  /** Runs statements in a session of their own, as superuser where no user is named, and gives the rows of the last. */
  async admin(sql: string, database = 'postgres', user?: string): Promise<Record<string, unknown>[]> {
    const client = await this.open(database, user);
    try {
      const results: unknown = await client.query(sql);
      const last: unknown = Array.isArray(results) ? results.at(-1) : results;
      return last instanceof pg.Result ? last.rows : [];
    } finally {
      await disconnect(client);
    }
  }

  /** Names of the databases of this file. */
  async databases(): Promise<string[]> {
    const rows = await this.admin(
      `select datname from pg_database
       where datname like '%${this.mark}%' or shobj_description(oid, 'pg_database') like '%${this.mark}%'`,
    );
    return rows.map(({ datname }) => String(datname));
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(disconnect));
    for (const name of await this.databases()) {
      await this.admin(`drop database if exists ${quoteIdentifier(name)} with (force)`);
    }
    for (const role of this.#roles) await this.admin(`drop role ${quoteIdentifier(role)}`);
  }
}
