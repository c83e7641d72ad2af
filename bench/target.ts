import pg from 'pg';
import type { PostgresServer } from '../src/stack/postgres-server.ts';
import { checksumTable, createTable, database, fillTable } from './audit-log.ts';

/** Count and checksum of the table's rows. */
export interface Checksum {
  readonly rows: number;
  readonly md5: string;
}

/** The table that all contestants load. */
export class Target {
  readonly server: PostgresServer;

  constructor(server: PostgresServer) {
    this.server = server;
  }

  /** Makes the database anew with the empty table; what is left of the round before is on disk after it. */
  async reset(): Promise<void> {
    await this.#in('postgres', async (client) => {
      await client.query(`drop database if exists ${database} with (force)`);
      await client.query(`create database ${database}`);
    });
    await this.#in(database, async (client) => {
      await client.query(createTable);
      await client.query('checkpoint');
    });
  }

  /** The checksum that every contestant must come to; made by PostgreSQL itself. */
  async expected(rows: number): Promise<Checksum> {
    await this.reset();
    return await this.#in(database, async (client) => {
      await client.query(fillTable, [rows]);
      return await checksum(client);
    });
  }

  /** @throws Error when the table does not hold exactly the expected rows */
  async verify(contestant: string, expected: Checksum): Promise<void> {
    const actual = await this.#in(database, checksum);
    if (actual.rows === expected.rows && actual.md5 === expected.md5) return;
    const [is, should] = [actual, expected].map(({ rows, md5 }) => `${rows} rows, ${md5}`);
    throw new Error(`${contestant}: the table is not as it should be: ${is} instead of ${should}`);
  }

  async version(): Promise<string> {
    return await this.#in('postgres', async (client) => {
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      return rows[0]?.server_version ?? '';
    });
  }

  async #in<T>(name: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.server.url(name) });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

async function checksum(client: pg.Client): Promise<Checksum> {
  await client.query(`set timezone = 'UTC'`);
  const { rows } = await client.query<Checksum>(checksumTable);
  return rows[0] ?? { rows: 0, md5: '' };
}
