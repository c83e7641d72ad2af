import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DeleteObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { releaseTarget, takeTarget } from '../../src/postgres/targets.ts';
import { type ArchivedRow, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { thawHere } from './thaw-here.ts';

let thaw: TestThaw;
let folder: string;
let config: string;

beforeAll(async () => {
  thaw = await createTestThaw('rejects');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-rejects-'));
  config = path.join(folder, 'config.yaml');
  await writeFile(config, thaw.configText);
});

afterAll(async () => {
  await thaw.close();
  await rm(folder, { recursive: true });
});

async function archive(table: string, archives: readonly (readonly ArchivedRow[])[]): Promise<string[]> {
  const keys: string[] = [];
  for (const [place, rows] of archives.entries()) {
    const options = { archivedAt: '2026-01-04T05:20:21+00:00', batch: place + 1, primaryKey: 'id' };
    const written = await writeArchive(thaw.bucket.put, {
      ...{ database: thaw.database.name, table, rows },
      ...options,
    });
    keys.push(written.key);
  }
  return keys;
}

/** Runs a command. */
async function run(...args: string[]) {
  const { exitCode, stdout, stderr } = await thawHere([...args, '--config', config], {});
  return { exitCode, lines: stdout.trimEnd().split('\n'), stderr };
}

async function retry(restoreId: string, ...flags: string[]) {
  const { exitCode, lines } = await run('rejects', 'retry', restoreId, '--json', ...flags);
  return { exitCode, tables: JSON.parse(lines.join('\n')).tables };
}

async function verified(restoreId: string) {
  const { exitCode, lines } = await run('verify', restoreId, '--json');
  const [{ rows, equal, differing, missing, rejected }] = JSON.parse(lines.join('\n')).tables;
  return { exitCode, rows, equal, differing, missing, rejected };
}

async function query(text: string, values: unknown[] = []) {
  return (await thaw.pg.query(text, values)).rows;
}

/** Lines of an archive as they were archived. */
async function linesOf(key: string): Promise<string[]> {
  const { client, bucket } = thaw.bucket;
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return gunzipSync((await Body?.transformToByteArray()) ?? '')
    .toString('utf8')
    .split('\n');
}

test('kept rows are listed, exported, and retried until the table takes them', async () => {
  const record = (id: number, other: ArchivedRow = {}) => ({
    id,
    note: `n${id}`,
    size: 1,
    owner: 1,
    ...other,
  });
  await thaw.pg.query(`
    create table owners (id int primary key);
    insert into owners values (1);
    create table items (
      id int generated always as identity primary key, note text not null, size int constraint sized check (size > 0),
      owner int references owners)`);
  const [first = '', second = ''] = await archive('items', [
    [record(1), record(2, { note: null }), record(3, { size: 'secret words' }), record(4, { owner: 7 })],
    [record(5), record(6, { size: -1 }), record(7, { note: 'a\u0000b' }), record(8)],
  ]);
  const { restoreId, state } = await thaw.restore(['items'], { maxRejects: 3 });
  expect(state).toBe('completed_with_failures');

  const listed = await run('rejects', 'list', restoreId);
  expect(listed.lines[0]).toBe(`${restoreId}  public.items: 5 rows of 2 archives`);
  expect(listed.lines).toContain(`  ${first}: 3, the first in line 2`);
  expect(listed.lines).toContain(`  ${second}: 2, the first in line 2`);
  expect(listed.lines.join()).not.toContain('secret');
  expect(listed.lines.filter((line) => line.includes(' x '))).toHaveLength(5);
  const all = JSON.parse((await run('rejects', 'list', '--table', 'items', '--json')).lines.join('\n'));
  expect(all.archives).toMatchObject([
    {
      ...{ restoreId, target: 'public.items', key: first, rows: 3, restored: 0 },
      reasons: [
        { column: 'note', sqlstate: '23502', rows: 1, line: 2 },
        { column: 'size', sqlstate: '22P02', rows: 1, line: 3 },
        { column: null, sqlstate: '23503', rows: 1, line: 4 },
      ],
    },
    { key: second, rows: 2 },
  ]);
  expect((await run('rejects', 'list', '--table', 'other')).lines).toEqual(['No rejected rows are kept.']);

  const output = path.join(folder, 'rejected.jsonl');
  expect((await run('rejects', 'export', restoreId, '--output', output)).exitCode).toBe(0);
  const [one, two] = [await linesOf(first), await linesOf(second)];
  expect(await readFile(output, 'utf8')).toBe(
    [...one.slice(1, 4), ...two.slice(1, 3)].map((line) => `${line}\n`).join(''),
  );

  const before = { exitCode: 0, rows: 3, equal: 3, differing: 0, missing: 0, rejected: 5 };
  expect(await verified(restoreId)).toEqual(before);
  expect((await run('verify', restoreId)).lines).toContain(
    '  Rejected: 5, which were left out (`thaw rejects list`)',
  );

  await thaw.pg.query('insert into owners values (7)');
  expect(await retry(restoreId)).toMatchObject({
    exitCode: 2,
    tables: [{ target: 'public.items', rows: 5, inserted: 1, remaining: 4, error: null, failures: [] }],
  });
  expect(await query('select id from items order by id')).toEqual([1, 4, 5, 8].map((id) => ({ id })));
  expect(await query('select key, inserted::int, rejected::int from thaw.archives order by ordinal')).toEqual(
    [
      { key: first, inserted: 2, rejected: 2 },
      { key: second, inserted: 2, rejected: 2 },
    ],
  );
  expect(await verified(restoreId)).toEqual({ ...before, rows: 4, equal: 4, rejected: 4 });

  await thaw.pg.query(`
    alter table items alter note drop not null, alter size type text, drop constraint sized`);
  // The archives are not needed any more.
  const { client, bucket } = thaw.bucket;
  for (const Key of [first, first.replace('.jsonl.gz', '.metadata.json')]) {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  }
  expect(await retry(restoreId)).toMatchObject({
    exitCode: 2,
    tables: [{ rows: 4, inserted: 3, remaining: 1 }],
  });
  expect(await query('select id, note, size, owner from items order by id')).toEqual(
    [
      record(1),
      record(2, { note: null }),
      record(3, { size: 'secret words' }),
      record(4, { owner: 7 }),
      record(5),
      record(6, { size: '-1' }),
      record(8),
    ].map((row) => ({ ...row, size: String(row.size) })),
  );
  expect(await query(`insert into items (note) values ('new') returning id`)).toEqual([{ id: 9 }]);
  const kept = await query(
    'select line::int, content is null as gone, restored_at is null as kept from thaw.rejected_rows order by id',
  );
  expect(kept).toEqual([
    ...[2, 3, 4, 2].map((line) => ({ line, gone: true, kept: false })),
    { line: 3, gone: false, kept: true },
  ]);
  const { lines } = await run('rejects', 'list', restoreId);
  expect(lines[0]).toBe(`${restoreId}  public.items: 1 rows of 1 archives`);
  expect(lines.at(-1)).toBe('Restored by a retry since: 4');
});

test('rows and their record go together, one retry at a time, and keys that are there meanwhile are kept', async () => {
  await thaw.pg.query('create table places (id int primary key, way path, size int check (size > 0))');
  await archive('places', [
    [
      { id: 1, way: null, size: 1 },
      { id: 2, way: '<asyncpg.pgproto.types.Path object at 0x7f0a>', size: 1 },
      { id: 3, way: null, size: 0 },
      { id: 4, way: null, size: 0 },
    ],
  ]);
  const { restoreId } = await thaw.restore(['places'], { maxRejects: 3 });
  await thaw.pg.query(`
    alter table places drop constraint places_size_check;
    insert into places values (4, null, 44);
    create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
    create trigger refuse before update on thaw.rejected_rows for each row execute function refuse()`);

  const broken = await retry(restoreId, '--unrestorable', 'null');
  expect(broken).toMatchObject({ exitCode: 2, tables: [{ inserted: 0, remaining: 3 }] });
  expect(await query('select id from places order by id')).toEqual([{ id: 1 }, { id: 4 }]);
  await thaw.pg.query('drop trigger refuse on thaw.rejected_rows');

  const [target] = await query(`select 'places'::regclass::oid as oid`);
  const other = { oid: target.oid, schema: 'public', table: 'places', ordered: true };
  const held = await takeTarget(thaw.pg, { restoreId: 'other', workflow: 'other' }, other);
  expect(await retry(restoreId)).toMatchObject({
    exitCode: 1,
    tables: [{ error: { code: 'TargetBusy', message: expect.stringContaining('other') } }],
  });
  await releaseTarget(thaw.pg, 'other', held);

  const both = await Promise.all([1, 2].map(() => retry(restoreId, '--unrestorable', 'null')));
  const all = both.map(({ tables }) => tables[0]);
  expect(all.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(2);
  expect(all.reduce((sum, { skipped }) => sum + skipped, 0)).toBe(1);
  expect(await query('select id, way, size from places order by id')).toEqual([
    { id: 1, way: null, size: 1 },
    { id: 2, way: null, size: 1 },
    { id: 3, way: null, size: 0 },
    { id: 4, way: null, size: 44 },
  ]);
  expect(await retry(restoreId)).toMatchObject({ exitCode: 0, tables: [{ rows: 0, error: null }] });
  expect(await run('rejects', 'retry', 'unknown')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('no restore unknown is known'),
  });
});
