import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toDump } from '../../../src/dump/choose/list-dumps.ts';
import { lookInto } from '../../../src/dump/choose/look-into.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { clientPrograms, describeWithPrograms, pgDump, runWithUrl } from '../../harness/client-programs.ts';
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';

let folder: string;
let store: ObjectStore;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thaw-look-'));
  store = openStore({ kind: 'folder', path: folder, prefix: '' }, {});
});

afterAll(() => rm(folder, { recursive: true }));

/** What the beginnings of files tell, by their names. */
async function looked(files: Readonly<Record<string, Buffer | string>>): Promise<Record<string, unknown>> {
  for (const [name, body] of Object.entries(files)) await writeFile(join(folder, name), body);
  const { objects } = await store.list({ prefix: '' });
  const dumps = objects.filter(({ key }) => key in files).map(toDump);
  const heads = await lookInto(store, dumps);
  return Object.fromEntries(dumps.map(({ key }, place) => [key, heads[place]]));
}

test('what is no dump is named, and does not keep others from being listed', async () => {
  const [gone] = (await store.list({ prefix: '' })).objects;
  expect(gone).toBeUndefined();
  expect(
    await looked({
      'encrypted.dump.gpg': Buffer.from('8c0d04070302', 'hex'),
      'empty.dump': '',
      'page.sql.gz': gzipSync('<html>'),
    }),
  ).toEqual({
    'encrypted.dump.gpg': {
      compression: 'none',
      format: null,
      foreign: 'an OpenPGP message (encrypted by gpg)',
      serverVersion: null,
    },
    'empty.dump': { compression: 'none', format: null, foreign: 'an empty file', serverVersion: null },
    'page.sql.gz': { compression: 'gzip', format: null, foreign: 'an HTML page', serverVersion: null },
  });
  const deleted = { key: 'gone', bytes: 1, etag: 'x', modifiedAt: '2025-01-01T00:00:00Z', takenAt: null };
  expect(await lookInto(store, [deleted])).toEqual([
    { compression: 'none', format: null, foreign: 'ArchiveNotFound', serverVersion: null },
  ]);
});

describeWithPrograms('dumps of pg_dump', () => {
  let database: TestDatabase;
  let version: string;

  beforeAll(async () => {
    database = await createTestDatabase('look_into');
    const client = await database.client();
    await client.query('create table t as select generate_series(1, 10) as n');
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    version = /^[\d.]+/.exec(rows[0]?.server_version ?? '')?.[0] ?? '';
  });

  afterAll(() => database.drop());

  test('format and version of the server are told by their beginnings, whatever they are called', async () => {
    const directory = join(folder, 'directory');
    await runWithUrl(clientPrograms().pgDump, database, ['--format=directory', `--file=${directory}`]);
    await promisify(execFile)('tar', ['-cf', join(folder, 'packed.tar'), '-C', directory, '.']);
    const packed = await readFile(join(folder, 'packed.tar'));
    await rm(directory, { recursive: true });
    const tar = await pgDump(database, '--format=tar');
    const formats = await looked({
      'tar.sql.gz': gzipSync(tar),
      'custom.tar.gz': await pgDump(database, '--format=custom'),
      'packed.tar': packed,
      'plain.dump': await pgDump(database),
    });
    const told = { foreign: null, serverVersion: version };
    expect(version).toMatch(/^\d+\.\d+$/);
    expect(formats).toEqual({
      'tar.sql.gz': { format: 'tar', compression: 'gzip', ...told },
      'custom.tar.gz': { format: 'custom', compression: 'none', ...told },
      'packed.tar': { format: 'directory', compression: 'none', ...told },
      'plain.dump': { format: 'plain', compression: 'none', ...told },
    });
  });
});
