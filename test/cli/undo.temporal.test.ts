import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
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
  // Another restore holds the table, and shows that it lives.
  const held = "restore_id = 'other', holder_workflow = 'other'";
  await thaw.pg.query(
    `update thaw.targets set ${held}, released_at = null, lease_until = now() + '1 hour' where table_name = 'orders'`,
  );
  const busy = await run('undo', restoreId, '--yes');
  expect(busy.exitCode).toBe(1);
  expect(busy.lines.join('\n')).toContain('TargetBusy: public.orders: restore other holds the table.');
  await thaw.pg.query("update thaw.targets set released_at = now() where table_name = 'orders'");

  const undone = await run('undo', restoreId, '--yes', '--reason', 'wrong day');
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
  expect(await run('undo', restoreId)).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/^The restore is undone already, by [\w-]+ of \w+ at 20/),
  });
  const { rows: undos } = await thaw.pg.query(
    `select state, reason, asked_by <> '' as who, finished_at is not null as ended,
       jsonb_path_query_array(tables, '$[*].left[*]') as left
     from thaw.undos where restore_id = $1 order by started_at`,
    [restoreId],
  );
  expect(undos).toMatchObject([
    { state: 'completed_with_failures', who: true, ended: true },
    {
      ...{ state: 'completed_with_failures', reason: 'wrong day', who: true, ended: true },
      left: [
        { why: 'referenced', rows: 1, keys: [['3']] },
        { why: 'changed', rows: 1, keys: [['2']] },
      ],
    },
    { state: 'completed', reason: null, who: true, ended: true, left: [] },
  ]);

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
    stderr: expect.stringContaining('Only a restore with --undoable'),
  });

  // As if it went on still.
  await thaw.pg.query('update thaw.restores set state = $2 where restore_id = $1', [plain, 'running']);
  await thaw.pg.query(
    'update thaw.targets set restore_id = $1, released_at = null, lease_until = now() + $2::interval',
    [plain, '1 hour'],
  );
  await thaw.pg.query(
    `update thaw.restores set request = jsonb_set(request, '{options,undoable}', 'true') where restore_id = $1`,
    [plain],
  );
  expect(await run('undo', plain, '--yes')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`TargetBusy: restore ${plain} still runs.`),
  });
});

const mine = '6d1f0d5c-0000-4000-8000-000000000001';
const theirs = '6d1f0d5c-0000-4000-8000-000000000002';

async function makeShop(): Promise<void> {
  await thaw.pg.query(`
    create schema shop;
    create table shop.people (id int primary key, tenant_id uuid not null, name text,
      boss int references shop.people);
    create table shop.bills (id int primary key, tenant_id uuid not null,
      person int not null references shop.people on delete cascade, total numeric);
    insert into shop.people select n, case n % 2 when 0 then uuid '${mine}' else '${theirs}' end, 'person ' || n,
      case when n > 2 then n - 2 end from generate_series(1, 20) as n;
    insert into shop.bills select id, tenant_id, id, id * 1.50 from shop.people;
    ${pitrSql('public')}`);
}

/** Rows of both tenants are changed, deleted and inserted. */
async function changeShop(): Promise<void> {
  await thaw.pg.query(`
    delete from shop.people where id in (19, 20);
    update shop.people set name = 'changed', boss = null where id in (3, 4);
    insert into shop.people values (40, '${mine}', 'new', 2), (41, '${theirs}', 'new', 1);
    insert into shop.bills values (40, '${mine}', 40, 1.0), (41, '${theirs}', 4, 2)`);
}

async function shop(): Promise<string[]> {
  const { rows: found } = await thaw.pg.query(
    `select 'person ' || p::text as row from shop.people p union all select 'bill ' || b::text from shop.bills b
     order by 1`,
  );
  return found.map(({ row }) => row);
}

async function inCluster(...args: string[]) {
  const { address, namespace, taskQueue } = thaw.temporal;
  const cluster = ['--temporal-address', address, '--namespace', namespace, '--task-queue', taskQueue];
  const ended = await run(...args, '--json', ...cluster);
  return { ...ended, json: ended.exitCode === 2 ? null : JSON.parse(ended.lines.join('') || '{}') };
}

test('a restore of a snapshot is taken back, and that in turn, but never what others changed since', async () => {
  await makeShop();
  const wanted = await shop();
  const taken = await inCluster('snapshot', 'create', '--schema', 'shop', '--name', 'wanted');
  const snapshot = String(taken.json.id);
  await changeShop();
  const before = await shop();
  const restored = await inCluster('snapshot', 'restore', snapshot, '--confirm');
  expect(restored.json).toMatchObject({ state: 'completed' });
  expect(await shop()).toEqual(wanted);
  const { restoreId } = restored.json;

  // One more row in one of the tables.
  await thaw.pg.query(`insert into shop.bills values (50, '${mine}', 2, 5)`);
  const refused = await inCluster('undo', restoreId, '--yes');
  expect(refused).toMatchObject({
    exitCode: 1,
    json: { error: { code: 'ConflictFound', message: `Changed since restore ${restoreId}: shop.bills.` } },
  });
  expect(await shop()).toHaveLength(wanted.length + 1);
  await thaw.pg.query('delete from shop.bills where id = 50');

  const undone = await inCluster('undo', restoreId, '--yes', '--reason', 'wrong one');
  expect(undone).toMatchObject({ exitCode: 0, json: { state: 'completed' } });
  expect(await shop()).toEqual(before);
  expect(await inCluster('undo', restoreId)).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('The restore is undone already'),
  });
  const undoId = String(undone.json.restoreId);
  expect((await inCluster('undo', undoId, '--yes')).json).toMatchObject({ state: 'completed' });
  expect(await shop()).toEqual(wanted);
  const { rows: records } = await thaw.pg.query(
    `select request ->> 'undoes' as undoes, request ->> 'reason' as reason, undone_at is not null as undone
     from thaw.snapshot_restores where state = 'completed' order by merged_at`,
  );
  // What took it back was taken back: it stands again.
  expect(records).toEqual([
    { undoes: null, reason: '', undone: false },
    { undoes: restoreId, reason: 'wrong one', undone: true },
    { undoes: undoId, reason: `undo of ${undoId}`, undone: false },
  ]);

  await changeShop();
  const forced = await inCluster('undo', restoreId, '--yes', '--force', '--no-pre-snapshot');
  expect(forced.json).toMatchObject({ state: 'completed', preSnapshotId: null });
  expect(await shop()).toEqual(before);
  expect(await run('undo', forced.json.restoreId, '--yes')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('took no snapshot of what was there'),
  });
  expect((await run('undo', restoreId, '--disable-triggers')).stderr).toContain(
    '--disable-triggers: only where',
  );
});

test("only the tenant's part is taken back, and its snapshot counts as rolled back no more", async () => {
  const { rows: found } = await thaw.pg.query<{ id: string }>(
    `select create_pitr_snapshot('${mine}', 'night', '{shop.people,shop.bills}', 'bob') as id`,
  );
  const id = found[0]?.id ?? '';
  const isMarked = async () => {
    const { rows: marks } = await thaw.pg.query(
      `select is_rolled_back as marked, status, rollback_notes as notes from backup_pitr_snapshots where id = $1`,
      [id],
    );
    return marks[0];
  };
  await thaw.pg.query(`
    delete from shop.people where id in (16, 18);
    update shop.people set name = 'again' where id in (5, 6)`);
  const before = await shop();
  const { json } = await inCluster('snapshot', 'restore', id, '--confirm');
  expect(json).toMatchObject({ state: 'completed' });
  expect(await isMarked()).toMatchObject({ marked: true, status: 'rolled_back' });
  // What others do with their rows meanwhile is nothing to the part.
  await thaw.pg.query(`update shop.people set name = 'of others' where id = 7`);
  expect((await inCluster('undo', json.restoreId, '--yes')).json).toMatchObject({ state: 'completed' });
  expect(await shop()).toEqual(
    before.map((row) => (row.startsWith('person (7,') ? row.replace('"person 7"', '"of others"') : row)),
  );
  expect(await isMarked()).toEqual({
    ...{ marked: false, status: 'active' },
    notes: expect.stringContaining(`Thaw restore ${json.restoreId} undone by`),
  });
});
