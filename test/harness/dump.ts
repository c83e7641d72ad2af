import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseConfig } from '../../src/config/thaw-config.ts';
import type { DumpProof } from '../../src/contract/dump-activities.ts';
import type { DumpFormat } from '../../src/contract/dump-request.ts';
import { openDump } from '../../src/dump/format/open-dump.ts';
import type { DumpToLoad } from '../../src/dump/load/dump-to-load.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import type { TestDatabase } from './postgres.ts';

/** Dumps in a folder of their own, and where their loads may write. */
export interface TestDumps {
  readonly folder: string;
  readonly store: FolderStore;
  /** `THAW_SPOOL_DIR`. */
  readonly spool: string;
  /** Puts a dump there under a key. */
  put(key: string, bytes: Buffer): Promise<void>;
  /** What a load of one needs, where nothing else is said. */
  load(
    key: string,
    format: DumpFormat,
    into: TestDatabase,
    options?: Partial<DumpToLoad>,
  ): Promise<DumpToLoad>;
  remove(): Promise<void>;
}

export async function createTestDumps(): Promise<TestDumps> {
  const folder = await mkdtemp(path.join(tmpdir(), 'thaw-dumps-'));
  const spool = await mkdtemp(path.join(tmpdir(), 'thaw-spool-test-'));
  const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
  return {
    folder,
    store,
    spool,
    put: (key, bytes) => writeFile(path.join(folder, key), bytes),
    load: async (key, format, into, options = {}) => ({
      restoreId: `dump-${into.name}`,
      store,
      proof: await proofOf(store, key, format),
      connection: connectionTo(into),
      part: { tables: [], schemas: [], sections: [], dataOnly: false, schemaOnly: false, clean: false },
      options: [],
      jobs: null,
      allowErrors: false,
      oneTransaction: false,
      cluster: false,
      env: {
        PATH: process.env.PATH,
        PG_BIN: process.env.PG_BIN,
        SECRET: into.password,
        THAW_SPOOL_DIR: spool,
      },
      signal: new AbortController().signal,
      ...options,
    }),
    remove: async () => {
      await rm(folder, { recursive: true });
      await rm(spool, { recursive: true });
    },
  };
}

/** A test's database as a configuration has it, its password in `SECRET`. */
export function connectionTo(database: TestDatabase): DatabaseConfig {
  const { name, host, port, user } = database;
  const password = { env: 'SECRET' };
  return { name, host, port, user, password, sslMode: 'prefer', sslRootCert: null, tables: [] };
}

/** As if the dump had been proved, whatever is wrong with it. */
async function proofOf(store: FolderStore, key: string, format: DumpFormat): Promise<DumpProof> {
  const { bytes, etag } = await store.open(key);
  const { compression, chunks } = await openDump(store, key);
  let decompressed = 0;
  for await (const chunk of chunks) decompressed += chunk.length;
  return {
    dump: { key, bytes, etag, modifiedAt: '2026-01-01T00:00:00Z', takenAt: null },
    format,
    compression,
    serverVersion: '15.0',
    dumpVersion: '15.0',
    dropsTables: false,
    database: null,
    tables: 0,
    rows: null,
    bytes: decompressed,
    extensions: [],
    roles: [],
    notices: [],
  };
}
