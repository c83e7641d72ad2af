import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreReport } from '../../src/verify/table-report.ts';
import { type ArchivedRow, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { thawHere } from './thaw-here.ts';

let thaw: TestThaw;
let folder: string;
let config: string;

beforeAll(async () => {
  thaw = await createTestThaw('verify');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-verify-'));
  config = path.join(folder, 'config.yaml');
  await writeFile(config, thaw.configText);
});

afterAll(async () => {
  await thaw.close();
  await rm(folder, { recursive: true });
});

/** A table like that of the configuration, which says that its time is `created_at`. */
const table = 'audit_logs';

async function prepare(name: string, columns: string, archives: readonly ArchivedRow[][]): Promise<string[]> {
  await thaw.pg.query(`drop table if exists ${name}; create table ${name} (${columns})`);
  const keys: string[] = [];
  for (const [place, rows] of archives.entries()) {
    const written = await writeArchive(thaw.bucket.put, {
      database: thaw.database.name,
      table: name,
      archivedAt: '2026-01-04T05:20:21+00:00',
      batch: place + 1,
      rows,
      primaryKey: 'id',
      timestampColumn: 'created_at',
    });
    keys.push(written.key);
  }
  return keys;
}

/** Runs `thaw verify`. */
async function verify(restoreId: string, ...flags: string[]) {
  const { exitCode, stdout, stderr } = await thawHere(
    ['verify', restoreId, '--config', config, ...flags],
    {},
  );
  return { exitCode, lines: stdout.trimEnd().split('\n'), stderr };
}

async function report(restoreId: string, ...flags: string[]) {
  const { exitCode, lines } = await verify(restoreId, '--json', ...flags);
  const parsed = JSON.parse(lines.join('\n')) as RestoreReport;
  return { exitCode, verdict: parsed.verdict, tables: parsed.tables, first: parsed.tables[0] };
}

const columns = 'id int primary key, note text, amount numeric, doc json, created_at timestamptz';
const row = (id: number, note: string, day = id) => ({
  ...{ id, note, amount: '1.50', doc: '{"a":  1}' },
  created_at: `2026-01-0${day}T00:00:00+00:00`,
});

test('rows are found by key and compared to the last bit, and what is off is named', async () => {
  const keys = await prepare(table, columns, [
    [row(1, 'a'), row(2, 'b'), row(3, 'c')],
    [row(4, 'd'), row(5, 'e')],
  ]);
  const { restoreId } = await thaw.restore([table]);

  expect(await report(restoreId)).toMatchObject({
    exitCode: 0,
    verdict: 'equal',
    first: {
      ...{ target: `public.${table}`, key: ['id'], archives: { compared: 2, total: 2 } },
      ...{ rows: 5, equal: 5, superseded: 0, differing: 0, missing: 0, differences: [], error: null },
      timestamps: {
        column: 'created_at',
        archives: { min: '2026-01-01 00:00:00+00', max: '2026-01-05 00:00:00+00' },
        table: { min: '2026-01-01 00:00:00+00', max: '2026-01-05 00:00:00+00' },
      },
    },
  });

  await thaw.pg.query(`
    update ${table} set amount = 1.5 where id = 2;
    update ${table} set doc = '{"a": 1}' where id = 3;
    delete from ${table} where id = 5;
    insert into ${table} (id) values (99)`);

  const after = await report(restoreId);
  expect(after).toMatchObject({
    exitCode: 3,
    verdict: 'different',
    first: { rows: 5, equal: 2, differing: 2, missing: 1 },
  });
  expect(after.first?.differences).toEqual([
    { archive: keys[0], line: 2, kind: 'differing' },
    { archive: keys[0], line: 3, kind: 'differing' },
    { archive: keys[1], line: 2, kind: 'missing' },
  ]);
  const { lines } = await verify(restoreId);
  expect(lines).toContain(`  missing: ${keys[1]} line 2`);
  expect(lines.at(-1)).toBe(`Different: restore ${restoreId}`);

  // A row of the table only is nothing that the archives tell of.
  await thaw.pg.query(`delete from ${table}`);
  const { first } = await report(restoreId, '--table', table);
  expect(first).toMatchObject({ equal: 0, differing: 0, missing: 5 });
  expect(await verify(restoreId, '--table', 'other')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('has no table other'),
  });
  expect(await verify('unknown')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('no restore unknown is known'),
  });
});

test.each([
  ['skip', ['first', 'alone'], ['second', 'alone']],
  ['overwrite', ['second', 'alone'], ['first', 'alone']],
] as const)('%s: of one key in several archives, the one that counts', async (strategy, right, wrong) => {
  const name = `twice_${strategy}`;
  await prepare(name, 'id int primary key, note text, created_at timestamptz', [
    [{ id: 1, note: 'first' }],
    [
      { id: 1, note: 'second' },
      { id: 2, note: 'alone' },
    ],
  ]);
  const { restoreId } = await thaw.restore([name], { conflictStrategy: strategy });
  const { rows } = await thaw.pg.query(`select note from ${name} order by id`);
  expect(rows.map(({ note }) => note)).toEqual(right);

  expect(await report(restoreId)).toMatchObject({
    exitCode: 0,
    first: { rows: 3, equal: 2, superseded: 1, differing: 0, missing: 0 },
  });

  await thaw.pg.query(`update ${name} set note = $1 where id = 1`, [wrong[0]]);
  expect(await report(restoreId)).toMatchObject({
    exitCode: 3,
    first: { rows: 3, equal: 2, superseded: 0, differing: 1, missing: 0 },
  });
});

test('what was skipped may differ, and is said to', async () => {
  await prepare('kept', 'id int primary key, note text', [
    [
      { id: 1, note: 'new' },
      { id: 2, note: 'new' },
    ],
  ]);
  await thaw.pg.query(`insert into kept values (1, 'mine')`);
  const { restoreId } = await thaw.restore(['kept']);

  const { exitCode, first } = await report(restoreId);

  expect(exitCode).toBe(3);
  expect(first).toMatchObject({ equal: 1, differing: 1, missing: 0 });
  expect(first?.notices).toEqual([expect.stringContaining('The restore skipped 1 rows')]);
});

test('rows without a key are counted, and those with NULL in theirs', async () => {
  const rows = [
    { id: 1, note: 'x' },
    { id: 1, note: 'x' },
    { id: null, note: null },
    { id: null, note: null },
  ];
  await prepare('keyless', 'id int, note text', [rows]);
  await prepare('nullable', 'id int unique, note text', [rows.slice(1)]);
  const { restoreId } = await thaw.restore(['keyless', 'nullable']);
  const equal = await report(restoreId);
  expect(equal).toMatchObject({
    exitCode: 0,
    tables: [
      { equal: 4, key: null },
      { equal: 3, key: ['id'] },
    ],
  });

  await thaw.pg.query(`
    delete from keyless where ctid = (select min(ctid) from keyless where id = 1);
    delete from nullable where ctid = (select min(ctid) from nullable where id is null)`);

  expect(await report(restoreId)).toMatchObject({
    exitCode: 3,
    tables: [
      { rows: 4, equal: 3, missing: 1, differences: [{ line: 2, kind: 'missing' }] },
      { rows: 3, equal: 2, missing: 1 },
    ],
  });
});

test('only what was asked for is compared', async () => {
  await prepare(table, columns, [[row(1, 'a'), row(2, 'b'), row(3, 'c')]]);
  const { restoreId } = await thaw.restore([table], {
    rowsFrom: '2026-01-02',
    rowsTo: '2026-01-02',
    ignoreWatermark: true,
  });
  expect((await thaw.pg.query(`select id from ${table}`)).rows).toEqual([{ id: 2 }]);

  expect(await report(restoreId)).toMatchObject({
    exitCode: 0,
    first: { rows: 1, equal: 1, missing: 0 },
  });
});

test('archives that changed or are gone are named, and the others are compared', async () => {
  const [gone = '', changed = ''] = await prepare('lost', 'id int primary key, note text', [
    [{ id: 1, note: 'a' }],
    [{ id: 2, note: 'b' }],
    [{ id: 3, note: 'c' }],
  ]);
  const { restoreId } = await thaw.restore(['lost']);
  await thaw.bucket.client.send(new DeleteObjectCommand({ Bucket: thaw.bucket.bucket, Key: gone }));
  await thaw.bucket.put(changed, Buffer.from('{"id": 2}'));

  const { exitCode, verdict, first } = await report(restoreId);

  expect({ exitCode, verdict }).toEqual({ exitCode: 1, verdict: 'incomplete' });
  expect(first).toMatchObject({ archives: { compared: 1, total: 3 }, equal: 1, missing: 0 });
  expect(first?.unverified.map(({ archive, code }) => [archive, code]).sort()).toEqual(
    [
      [gone, 'ArchiveNotFound'],
      [changed, 'ArchiveChanged'],
    ].sort(),
  );

  await thaw.pg.query('drop table lost; create table lost (id int primary key, note text)');
  expect(await report(restoreId)).toMatchObject({
    exitCode: 1,
    first: { error: { code: 'TargetMissing', message: expect.stringContaining('was dropped') } },
  });
});
