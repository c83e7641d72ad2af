import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { thawHere } from './thaw-here.ts';

let thaw: TestThaw;
let folder: string;
let config: string;

beforeAll(async () => {
  thaw = await createTestThaw('undo');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-undo-'));
  config = path.join(folder, 'config.yaml');
  await writeFile(config, thaw.configText);
});

afterAll(async () => {
  await thaw.close();
  await rm(folder, { recursive: true });
});

async function run(...args: string[]) {
  const { exitCode, stdout, stderr } = await thawHere([...args, '--config', config], {});
  return { exitCode, lines: stdout.trimEnd().split('\n'), stderr };
}

async function rows() {
  const { rows: found } = await thaw.pg.query(
    `select 'customer ' || c::text as row from customers c
     union all select 'order ' || o::text from orders o order by 1`,
  );
  return found.map(({ row }) => row);
}

test('a restore is taken back, but for what was changed since, and its archives are restored again', async () => {
  await thaw.pg.query(`
    create table customers (id int primary key, name text);
    create table orders (id int primary key, customer int references customers on delete cascade);
    insert into customers values (1, 'mine')`);
  const archives = [
    ['customers', [1, 2, 3].map((id) => ({ id, name: `archived ${id}` }))],
    ['orders', [1, 2, 3].map((id) => ({ id, customer: id }))],
  ] as const;
  for (const [table, records] of archives) {
    await writeArchive(thaw.bucket.put, {
      ...{ database: thaw.database.name, table, rows: records, archivedAt: '2026-01-04T05:20:21+00:00' },
      ...{ batch: 1, primaryKey: 'id' },
    });
  }
  const before = await rows();
  const options = { conflictStrategy: 'overwrite', undoable: true } as const;
  const { restoreId, state } = await thaw.restore(['customers', 'orders'], options);
  expect(state).toBe('completed');
  expect(await rows()).toHaveLength(6);
  await thaw.pg.query(`insert into orders values (9, 3); update orders set customer = 1 where id = 2`);

  expect(await run('undo', restoreId)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('public.customers: 2 rows are deleted, and 1 get what they had.'),
  });
  expect(await rows()).toHaveLength(7);
  const undone = await run('undo', restoreId, '--yes');
  expect(undone).toMatchObject({
    exitCode: 2,
    lines: [
      ...['public.customers:', '  Deleted: 1', '  Brought back: 1', '  Left, referenced: 1: 3'],
      ...['public.orders:', '  Deleted: 2', '  Brought back: 0', '  Left, changed: 1: 2'],
    ],
  });
  expect(await rows()).toEqual([
    'customer (1,mine)',
    'customer (3,"archived 3")',
    'order (2,1)',
    'order (9,3)',
  ]);

  await thaw.pg.query('delete from orders');
  const { address, namespace, taskQueue } = thaw.temporal;
  const cluster = ['--temporal-address', address, '--namespace', namespace, '--task-queue', taskQueue];
  const again = JSON.parse((await run('undo', restoreId, '--yes', '--json', ...cluster)).lines.join('\n'));
  expect(again).toMatchObject({
    restoreId,
    tables: [
      { target: 'public.customers', deleted: 2, broughtBack: 1, gone: 0, left: [], error: null },
      { target: 'public.orders', deleted: 2, broughtBack: 0, gone: 1, left: [], error: null },
    ],
  });
  expect(await rows()).toEqual(before);
  expect((await run('undo', restoreId, '--yes')).exitCode).toBe(0);

  const { tables, restoreId: plain } = await thaw.restore(['customers', 'orders'], {
    conflictStrategy: 'overwrite',
  });
  expect(tables.map(({ tally }) => tally.archives)).toMatchObject([
    { restored: 1, earlier: 0 },
    { restored: 1, earlier: 0 },
  ]);
  expect(tables[0]?.notices).toContainEqual(
    expect.stringContaining('public.customers has rows: what overwrite replaces is not kept.'),
  );
  expect(tables[1]?.notices).toEqual([]);
  expect(await run('undo', plain, '--yes')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Only a restore with --undoable can be undone.'),
  });
});
