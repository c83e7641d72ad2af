import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { DumpClient } from '../../src/client/dump-client.ts';
import { type DumpInput, defaultKeepOldSeconds, toDumpRequest } from '../../src/client/dump-input.ts';
import { newRestoreId } from '../../src/client/restore-id.ts';
import type { DumpOutcome } from '../../src/contract/dump-activities.ts';
import { type DumpRequest, wholeDump } from '../../src/contract/dump-request.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { pgDump } from '../harness/client-programs.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { createTestThaw, type TestPlaces, type TestThaw } from '../harness/thaw.ts';

/** A service `argus` with its live database and a folder of dumps, and everything that restores them. */
export interface DumpSite {
  readonly thaw: TestThaw;
  readonly dumps: DumpClient;
  /** The live database; every session of its own, since a swap ends those that are there. */
  readonly live: TestDatabase;
  readonly folder: string;
  request(input?: Partial<DumpInput>): DumpRequest;
  /** Restores and waits for the end. */
  restore(input?: Partial<DumpInput>): Promise<DumpOutcome>;
  /** Puts a dump into the folder. */
  put(name: string, dump: Uint8Array): Promise<void>;
  /** Rows of the last of some statements, run in a database of the server. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** All that a database holds, as pg_dump writes it; two of the same content are equal. */
  content(database?: string): Promise<string>;
  /** Databases that belong to the live one: itself, those being loaded and those kept. */
  databases(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * @param name begins the names of databases
 * @param serverUrl connection string of another server's database `postgres`, for tests that have their own
 */
export async function createDumpSite(
  name: string,
  worker: 'worker' | 'no worker' = 'worker',
  places: TestPlaces = {},
  serverUrl = inject('stack').postgresUrl,
): Promise<DumpSite> {
  const live = await createTestDatabase(`${name}_live`, serverUrl);
  const folder = await mkdtemp(path.join(inject('stack').folder, 'dumps-'));
  const { host, port, user, password } = live;
  const argus = {
    name: 'argus',
    host,
    port,
    user,
    password,
    database: live.name,
    dumps: { folder },
    tenants: ['acme'],
  };
  const thaw = await createTestThaw(name, worker, {
    services: [argus],
    ...places,
    env: { PATH: process.env.PATH, ...places.env },
  });
  const dumps = new DumpClient(thaw.client, thaw.temporal.taskQueue);
  const named = (database: string): TestDatabase => {
    const url = new URL(live.url);
    url.pathname = `/${encodeURIComponent(database)}`;
    return { ...live, name: database, url: url.href };
  };
  const site: DumpSite = {
    ...{ thaw, dumps, live, folder },
    request: (input = {}) => toDumpRequest({ ...usual, ...input }, thaw.config, newRestoreId(), 5),
    restore: async (input) => {
      const request = site.request(input);
      await dumps.start(request);
      return dumps.outcome(request.restoreId);
    },
    put: (file, dump) => writeFile(path.join(folder, file), dump),
    query: (sql, database = live.name) => queryIn(named(database), sql),
    content: async (database = live.name) => {
      const text = (await pgDump(named(database), '--format=plain')).toString();
      // The key is drawn anew each time.
      return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
    },
    databases: async () => {
      const rows = await queryIn(
        named('postgres'),
        `select datname from pg_database where datname like '${live.name}%' order by datname`,
      );
      return rows.map(({ datname }) => String(datname));
    },
    close: async () => {
      await thaw.close();
      for (const database of await site.databases()) {
        await asAdministrator(`drop database if exists ${quoteIdentifier(database)} with (force)`, serverUrl);
      }
      await live.drop();
      await rm(folder, { recursive: true });
    },
  };
  return site;
}

const usual: DumpInput = {
  service: 'argus',
  choice: { kind: 'latest', before: null },
  mode: null,
  into: null,
  create: false,
  owner: null,
  part: wholeDump,
  restoreOptions: '',
  fallback: 0,
  keepOldSeconds: defaultKeepOldSeconds,
  jobs: null,
  allowErrors: false,
  checks: [],
  checkUrls: [],
};

/** A session of its own, since a swap ends those that are there. */
async function queryIn(database: TestDatabase, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const results: unknown = await client.query(sql);
    const last: unknown = Array.isArray(results) ? results.at(-1) : results;
    return last instanceof pg.Result ? last.rows : [];
  } finally {
    await client.end();
  }
}
