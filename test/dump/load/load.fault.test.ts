import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ThawError } from '../../../src/contract/thaw-error.ts';
import type { DumpToLoad } from '../../../src/dump/load/dump-to-load.ts';
import { loadDumpInto, sessionName } from '../../../src/dump/load/load.ts';
import type { ArchiveStore } from '../../../src/store/object-store.ts';
import {
  clientPrograms,
  describeWithPrograms,
  hasClientPrograms,
  pgDump,
} from '../../harness/client-programs.ts';
import { createTestDumps, type TestDumps } from '../../harness/dump.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';
import { isAlive } from '../../harness/process-alive.ts';

const secret = 'row-secret-';

let source: TestDatabase;
let dumps: TestDumps;
/** What `source` is as plain SQL. */
let plain: Buffer;
/** A database that has the tables of `source`, empty. */
let empty: TestDatabase;
let client: pg.Client;
/** A database where loads fail that leave nothing behind. */
let blank: TestDatabase;
/** Looks at sessions: a transaction sees those of its first look for ever. */
let watcher: pg.Client;

beforeAll(async () => {
  source = await createTestDatabase('faults_source');
  empty = await createTestDatabase('faults_empty');
  blank = await createTestDatabase('faults_blank');
  dumps = await createTestDumps();
  await (await source.client()).query(`
    create table a (id int primary key, v text);
    insert into a select i, '${secret}' || i from generate_series(1, 30000) i;
    create table b (id int primary key, v text);
    insert into b select i, '${secret}' || i from generate_series(1, 1000) i;
    select lo_from_bytea(4711, 'large');
  `);
  client = await empty.client();
  watcher = await empty.client();
  if (!hasClientPrograms) return;
  plain = await pgDump(source);
  await dumps.put('plain', plain);
  for (const format of ['tar', 'custom']) await dumps.put(format, await pgDump(source, `--format=${format}`));
  await loadDumpInto(await dumps.load('custom', 'custom', empty, { part: part({ schemaOnly: true }) }));
});

afterAll(async () => {
  await dumps.remove();
  for (const database of [blank, empty, source]) await database.drop();
});

function part(some: Partial<DumpToLoad['part']>): DumpToLoad['part'] {
  return { tables: [], schemas: [], sections: [], dataOnly: false, schemaOnly: false, clean: false, ...some };
}

/** Expects nothing at all in the blank database: neither tables nor large objects. */
async function expectBlank() {
  const { rows } = await (await blank.client()).query(
    `select (select count(*) from pg_class where relnamespace = 'public'::regnamespace)::int as tables,
       (select count(*) from pg_largeobject_metadata)::int as objects`,
  );
  expect(rows).toEqual([{ tables: 0, objects: 0 }]);
}

/** Does something with a database of its own, without anything in it. */
async function withNew<T>(action: (database: TestDatabase) => Promise<T>): Promise<T> {
  const database = await createTestDatabase('faults');
  try {
    return await action(database);
  } finally {
    await database.drop();
  }
}

/** Expects nothing to be left of a load: no session, no file. */
async function expectNothingLeft(load: DumpToLoad) {
  const { rows } = await watcher.query('select 1 from pg_stat_activity where application_name = $1', [
    sessionName(load.restoreId),
  ]);
  expect(rows).toEqual([]);
  expect(await readdir(dumps.spool)).toEqual([]);
}

/** A folder of programs of which pg_restore and psql write down their process. */
async function traced(): Promise<{ readonly bin: string; readonly pid: () => Promise<number> }> {
  const bin = path.join(dumps.folder, 'bin');
  const trace = path.join(dumps.folder, 'pid');
  const { pgRestore, psql, pgDump } = clientPrograms();
  await mkdir(bin, { recursive: true });
  for (const program of [pgRestore, psql]) {
    const file = path.join(bin, path.basename(program));
    await writeFile(file, `#!/bin/sh\necho $$ > ${trace}\nexec ${program} "$@"\n`);
    await chmod(file, 0o755);
  }
  await symlink(pgDump, path.join(bin, 'pg_dump')).catch(() => undefined);
  return { bin, pid: async () => Number(await readFile(trace, 'utf8')) };
}

/** A load of data that waits for a lock, so that it is surely under way; `act` is done then. */
async function whileLoading(key: 'tar' | 'custom', act: (load: DumpToLoad, pid: number) => Promise<unknown>) {
  const { bin, pid } = await traced();
  const stopping = new AbortController();
  const load = await dumps.load(key, key, empty, { part: part({ dataOnly: true }), signal: stopping.signal });
  const traceable = { ...load, env: { ...load.env, PG_BIN: bin } };
  await client.query('begin; lock table b');
  try {
    const loading = loadDumpInto(traceable);
    loading.catch(() => undefined);
    const waiting = `select 1 from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`;
    await expect
      .poll(async () => (await watcher.query(waiting, [sessionName(load.restoreId)])).rowCount)
      .toBeGreaterThan(0);
    await act(load, await pid());
    if (key === 'tar') stopping.abort(new Error('stopped'));
    const error = await loading.catch((failure: unknown) => failure);
    // As long as the lock is held: a session that waits for it does not see that its program is gone.
    await expectNothingLeft(load);
    return error;
  } finally {
    await client.query('rollback');
    await client.query('truncate a, b');
    await client.query('select lo_unlink(oid) from pg_largeobject_metadata');
  }
}

/** A store whose objects break off after so many bytes. */
function broken(store: ArchiveStore, after: number): ArchiveStore {
  return {
    name: store.name,
    read: store.read.bind(store),
    open: async (key, options) => {
      const body = await store.open(key, options);
      const chunks = async function* () {
        let left = after;
        for await (const chunk of body.chunks) {
          yield chunk.subarray(0, left);
          left -= chunk.length;
          if (left <= 0) throw new ThawError('StoreUnavailable', 'the stream was cut');
        }
      };
      return { ...body, chunks: chunks() };
    },
  };
}

/** Puts a plain dump with something else in a place of it. */
async function putChanged(key: string, change: (text: string) => string) {
  await dumps.put(key, gzipSync(change(plain.toString()), { level: 1 }));
}

describeWithPrograms('a load that fails', () => {
  test('pg_restore killed in the middle is told, its sessions are ended', async () => {
    const error = await whileLoading('custom', async (_, pid) => process.kill(-pid, 'SIGKILL'));
    expect(error).toMatchObject({
      code: 'DatabaseUnavailable',
      message: 'pg_restore was ended by SIGKILL before it was done',
    });
  });

  test('a session ended by the server is an outage, whatever pg_restore goes on to say', async () => {
    const error = await whileLoading('custom', (load) =>
      watcher.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
        sessionName(load.restoreId),
      ]),
    );
    expect(error).toMatchObject({
      code: 'DatabaseUnavailable',
      message: `pg_restore lost its connection to "${empty.name}"`,
    });
  });

  test('an abort ends program and sessions before it is told', async () => {
    let program = 0;
    const error = await whileLoading('tar', async (_, pid) => {
      program = pid;
    });
    expect(error).toMatchObject({ message: 'stopped' });
    expect(isAlive(program)).toBe(false);
  });

  test.each(['tar', 'plain'] as const)('a stream of %s that is cut is told as such', async (key) => {
    const load = await dumps.load(key, key, blank);
    const store = broken(load.store, load.proof.bytes / 2);
    await expect(loadDumpInto({ ...load, store })).rejects.toMatchObject({
      code: 'StoreUnavailable',
      message: 'the stream was cut',
    });
    // pg_restore commits each statement; a database that is in use is loaded in one transaction.
    if (key === 'tar') {
      const removing = 'drop table a, b; select lo_unlink(oid) from pg_largeobject_metadata';
      await (await blank.client()).query(removing);
    }
    await expectBlank();
    await expectNothingLeft(load);
  });

  test('a tar that ends too early does not wait for ever', async () => {
    await withNew(async (into) => {
      const load = await dumps.load('tar', 'tar', into);
      const tar = await readFile(path.join(dumps.folder, 'tar'));
      await dumps.put('short', tar.subarray(0, tar.length / 2));
      const short = await dumps.load('short', 'tar', into);
      const proof = { ...load.proof, dump: short.proof.dump };
      await expect(loadDumpInto({ ...short, proof })).rejects.toMatchObject({ code: 'ArchiveChanged' });
      await expectNothingLeft(load);
    });
  });

  test.each<[string, string, (text: string) => string]>([
    ['ends in the data', 'ArchiveCorrupt', (text) => text.slice(0, text.indexOf(`${secret}20000`))],
    ['ends in a statement', 'ArchiveCorrupt', (text) => text.slice(0, text.indexOf('ADD CONSTRAINT'))],
    [
      'ends behind the large objects',
      'ArchiveCorrupt',
      (text) => text.slice(0, text.indexOf('COMMIT;\n') + 8),
    ],
    ['has a command of psql', 'InputInvalid', (text) => text.replace('COMMIT;\n', 'COMMIT;\n\\! id\n')],
    ['commits on its own', 'InputInvalid', (text) => text.replace('COMMIT;\n', 'COMMIT;\ncommit work;\n')],
    [
      'fails behind its large objects',
      'DumpRejected',
      (text) => text.replace('COMMIT;\n', 'COMMIT;\nselect 1/0;\n'),
    ],
    ['has a bad row', 'DumpRejected', (text) => text.replace(`20000\t${secret}20000`, `x\t${secret}20000`)],
  ])('of a plain dump that %s nothing is committed', async (what, code, change) => {
    await putChanged(what, change);
    const load = await dumps.load(what, 'plain', blank);
    const error = await loadDumpInto(load).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).not.toContain(secret);
    await expectBlank();
    await expectNothingLeft(load);
  });

  test('what psql gets is not committed where its input ends early, as when this process dies', async () => {
    const { bin } = await traced();
    const file = path.join(bin, 'psql');
    await writeFile(file, `#!/bin/sh\n/usr/bin/head -c 200000 | ${clientPrograms().psql} "$@"\n`);
    const load = await dumps.load('plain', 'plain', blank);
    const env = { ...load.env, PG_BIN: bin };
    await expect(loadDumpInto({ ...load, env })).rejects.toMatchObject({ code: 'DumpRejected' });
    await expectBlank();
  });

  test('errors that pg_restore ignores are a failure with their count, without rows, unless allowed', async () => {
    const load = await dumps.load('tar', 'tar', source);
    const error = await loadDumpInto(load).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'DumpRejected', object: 'tar' });
    expect((error as Error).message).toBe(
      `7 errors while tar was restored into "${source.name}": relation "a" already exists; ` +
        'relation "b" already exists; ' +
        'duplicate key value violates unique constraint "pg_largeobject_metadata_oid_index"; ' +
        'COPY failed for table "a": duplicate key value violates unique constraint "a_pkey"; ' +
        'COPY failed for table "b": duplicate key value violates unique constraint "b_pkey"; and 2 more',
    );
    const { warnings } = await loadDumpInto({ ...load, allowErrors: true });
    expect(warnings).toHaveLength(7);
    expect(warnings[0]).toBe('error: relation "a" already exists');
  });

  test('errors of a plain dump that are allowed are warnings, and the rest is committed', async () => {
    await putChanged('errors', (text) =>
      text
        .replace(`20000\t${secret}20000`, `x\t${secret}20000`)
        .replace('COMMIT;\n', 'COMMIT;\nselect 1/0;\n'),
    );
    await withNew(async (into) => {
      const { warnings } = await loadDumpInto(
        await dumps.load('errors', 'plain', into, { allowErrors: true }),
      );
      expect(warnings).toEqual([
        expect.stringMatching(/^error: line \d+: invalid input syntax for type integer …$/),
        expect.stringMatching(/^error: line \d+: division by zero$/),
      ]);
      const { rows } = await (await into.client()).query(
        'select (select count(*) from a)::int as a, (select count(*) from b)::int as b',
      );
      expect(rows).toEqual([{ a: 0, b: 1000 }]);
    });
  });

  test('in one transaction nothing stays of an archive that fails', async () => {
    const other = await blank.client();
    await other.query('create table b (id text)');
    const load = await dumps.load('custom', 'custom', blank, { oneTransaction: true });
    await expect(loadDumpInto(load)).rejects.toMatchObject({
      code: 'DumpRejected',
      message: `1 error while custom was restored into "${blank.name}": relation "b" already exists`,
    });
    await other.query('drop table b');
    await expectBlank();
  });

  test('a dump that has no room is refused before anything is written', async () => {
    const load = await dumps.load('custom', 'custom', blank);
    const proof = { ...load.proof, bytes: 2 ** 60 };
    await expect(loadDumpInto({ ...load, proof })).rejects.toMatchObject({
      code: 'ConfigInvalid',
      object: 'THAW_SPOOL_DIR',
      message: expect.stringContaining(`${dumps.spool} has no room for `),
    });
    await expectNothingLeft(load);
  });

  test('sessions that an earlier attempt left are ended first', async () => {
    const load = await dumps.load('custom', 'custom', empty, { part: part({ dataOnly: true }) });
    const left = await empty.client();
    await left.query(`set application_name = '${sessionName(load.restoreId)}'`);
    await left.query('begin; lock table a, b');
    await loadDumpInto(load);
    await expect(left.query('select 1')).rejects.toThrow();
    await client.query('truncate a, b');
    await client.query('select lo_unlink(oid) from pg_largeobject_metadata');
  });

  test('a wrong password, a missing right, a missing program and a newer archive are told apart', async () => {
    const load = await dumps.load('custom', 'custom', empty);
    const secretless = { ...load, env: { ...load.env, SECRET: 'wrong' } };
    await expect(loadDumpInto(secretless)).rejects.toMatchObject({ code: 'PermissionDenied' });

    const role = `faults_${empty.name}`;
    await asAdministrator(`create role ${role} login password 'x'`);
    try {
      const connection = { ...load.connection, user: role };
      const limited = {
        ...load,
        connection,
        env: { ...load.env, SECRET: 'x' },
        part: part({ tables: ['a'] }),
      };
      await expect(loadDumpInto({ ...limited, options: ['--no-owner'] })).rejects.toMatchObject({
        code: 'PermissionDenied',
        message: expect.stringContaining('permission denied for'),
      });
    } finally {
      await asAdministrator(`drop role ${role}`);
    }

    const proof = { ...load.proof, dumpVersion: '99.1' };
    await expect(loadDumpInto({ ...load, proof })).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('of version 99 or newer'),
    });

    const newer = await readFile(path.join(dumps.folder, 'custom'));
    // Behind `PGDMP` stand the three numbers of the version of the archive.
    newer[6] = 99;
    await dumps.put('newer', newer);
    await expect(loadDumpInto(await dumps.load('newer', 'custom', empty))).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('newer needs the programs of a newer version than'),
    });
    await expectNothingLeft(load);
  });
});
