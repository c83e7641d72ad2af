import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SnapshotClient } from '../../src/client/snapshot-client.ts';
import { toSnapshotRequest } from '../../src/client/snapshot-request.ts';
import { SnapshotRestoreClient } from '../../src/client/snapshot-restore-client.ts';
import { toSnapshotRestore } from '../../src/client/snapshot-restore-request.ts';
import type { CreateSnapshotRequest, SnapshotRequest } from '../../src/contract/snapshot.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { surroundings } from '../snapshot/exact/exact-model.ts';
import { rowsOf } from '../snapshot/merge/merge-site.ts';
import { expectNoSessions } from './archived-table.ts';
import { expectSoundHistories } from './histories.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

let thaw: TestThaw;
let folder: string;
let worker: WorkerProcess;
let snapshots: SnapshotClient;
let restores: SnapshotRestoreClient;
let taken: CreateSnapshotRequest;
/** What the tables held when the snapshot was taken, and what stands around them. */
let wanted: string[][];
let around: string[];

/** `npm run soak` plays more of them. */
const rounds = process.env.THAW_SOAK_SECONDS === undefined ? 1 : 10;
const cuts = rounds === 1 ? 2 : 5;
const timeout = 110_000 + rounds * 60_000;

const tables = ['shop.people', 'shop.orders', 'shop.notes'];

beforeAll(async () => {
  thaw = await createTestThaw('killedsnapshot', 'no worker');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-killed-snapshot-'));
  snapshots = new SnapshotClient(thaw.client, thaw.temporal.taskQueue);
  restores = new SnapshotRestoreClient(thaw.client, thaw.temporal.taskQueue);
  await thaw.pg.query(`
    create schema shop;
    create table public.pace (seconds float8);
    insert into public.pace values (0);
    create function public.slow() returns boolean language sql volatile
      as 'select case when seconds > 0 then pg_sleep(seconds) is not null else true end from public.pace';
    create table shop.people (id int primary key, name text, boss int references shop.people deferrable,
      best int, check (public.slow()));
    create table shop.orders (id int primary key, person int not null references shop.people on delete cascade,
      total numeric, check (public.slow()));
    alter table shop.people add foreign key (best) references shop.orders;
    comment on constraint people_best_fkey on shop.people is 'in a circle';
    create table shop.notes (text text, person int references shop.people on delete set null);
    insert into shop.people select n, 'person ' || n, nullif(n / 2, 0) from generate_series(1, 400) as n;
    insert into shop.orders select n, 1 + n % 400, n * 1.5 from generate_series(1, 400) as n;
    insert into shop.notes select 'note ' || n % 3, n from generate_series(1, 300) as n;
    update shop.people set best = id`);
  worker = await WorkerProcess.start(thaw, folder);
  taken = request();
  await snapshots.take(taken);
  [wanted, around] = [await contents(), await surroundings(thaw.pg, 'shop')];
}, 60_000);

afterAll(async () => {
  await worker.kill();
  await thaw.close();
  await rm(folder, { recursive: true });
});

beforeEach(() => pace(0));

function request(): CreateSnapshotRequest {
  const input = {
    ...({ database: thaw.database.name, type: 'manual', by: 'ada', name: null, keep: null } as const),
    ...{ tables: [], schemas: ['shop'], tenant: null, readers: 2, partBytes: 5_000 },
  };
  return toSnapshotRequest(thaw.config, input, `t${randomBytes(8).toString('hex')}`, 2);
}

function restoreRequest(): SnapshotRequest {
  return toSnapshotRestore(
    thaw.config,
    {
      ...{ database: thaw.database.name, source: { kind: 'stored', id: taken.id }, tables: null },
      ...{ strategy: 'overwrite', newerBy: null, tenant: null, selection: null, ifUnchanged: null },
      ...{ schemaStrategy: 'strict', again: true, preSnapshot: true, reason: 'a test', by: 'ada' },
    },
    `r${randomBytes(8).toString('hex')}`,
    2,
  );
}

/** How long each row of two tables takes to be written, in seconds. */
async function pace(seconds: number): Promise<void> {
  await thaw.pg.query('update public.pace set seconds = $1', [seconds]);
}

async function contents(): Promise<string[][]> {
  const all: string[][] = [];
  for (const table of tables) all.push(await rowsOf(thaw.pg, table));
  return all;
}

/** Changes the tables in every way, and gives what they hold then. */
async function change(): Promise<string[][]> {
  await pace(0);
  await thaw.pg.query(`
    update shop.people set best = null where id % 4 = 0;
    delete from shop.orders where id % 4 = 0;
    update shop.people set name = 'other' where id % 4 = 1;
    insert into shop.people values (1001, 'new', 1, null);
    insert into shop.orders values (1001, 1001, 0);
    delete from shop.notes where text = 'note 1'`);
  return contents();
}

/** What is seen by others now: the old state or the new one, with every key there. */
async function expectOneState(old: readonly string[][]): Promise<void> {
  await thaw.pg.query('begin isolation level repeatable read');
  try {
    expect([old, wanted]).toContainEqual(await contents());
    expect(await surroundings(thaw.pg, 'shop')).toEqual(around);
  } finally {
    await thaw.pg.query('rollback');
  }
}

/** The end of a restore that was disturbed: done once, with nothing left of it. */
async function expectRestored({ restoreId }: SnapshotRequest): Promise<void> {
  const outcome = await restores.outcome(restoreId);
  expect(outcome).toMatchObject({ state: 'completed', error: null });
  expect(await contents()).toEqual(wanted);
  expect(await surroundings(thaw.pg, 'shop')).toEqual(around);
  const { rows } = await thaw.pg.query(
    `select (select count(*)::int from pg_namespace where nspname like 'thaw\\_stage\\_%') as stages,
       (select count(*)::int from thaw.snapshot_foreign_keys) as keys,
       (select count(*)::int from thaw.targets where released_at is null) as held`,
  );
  expect(rows).toEqual([{ stages: 0, keys: 0, held: 0 }]);
  await expectWhole(outcome.preSnapshotId ?? '');
  await expectNoSessions(thaw.pg);
  await expectSoundHistories(thaw.client, restoreId);
}

/** A snapshot has its manifest and what that tells of, and nothing else lies with it. */
async function expectWhole(id: string): Promise<void> {
  const place = `archives/snapshots/${id}/`;
  const manifest = JSON.parse(Buffer.from(await thaw.bucket.get(`${place}manifest.json`)).toString());
  const parts: string[] = manifest.tables.flatMap((table: { parts: { key: string }[] }) =>
    table.parts.flatMap(({ key }) => [key, key.replace('.jsonl.gz', '.metadata.json')]),
  );
  const keys = [...parts, 'manifest.json'].map((key) => `${place}${key}`);
  expect((await thaw.bucket.keys(place)).toSorted()).toEqual(keys.toSorted());
}

/** Whether the restore writes rows of the tables now. */
async function isWriting({ restoreId }: SnapshotRequest): Promise<boolean> {
  const { rowCount } = await thaw.pg.query(
    `select from pg_stat_activity where application_name like 'thaw/' || $1 || '/%'
       and state = 'active' and query ~ '^\\s*(insert into|update) .*shop'`,
    [restoreId],
  );
  return rowCount !== 0;
}

test('a worker killed in the middle of a merge, or at any moment, and sessions that are cut, end in one state', {
  timeout,
}, async () => {
  for (let round = 0; round < rounds; round += 1) {
    const old = await change();
    const isMerge = round % 2 === 0;
    await pace(isMerge ? 0.02 : 0.001);
    const asked = restoreRequest();
    await restores.start(asked);
    if (isMerge) await until('it writes', () => isWriting(asked), 60_000);
    else await delay(Math.random() * 1_500);
    await worker.kill();
    await pace(0.001);
    if (isMerge) expect(await contents()).toEqual(old);
    await expectOneState(old);
    worker = await WorkerProcess.start(thaw, folder);
    for (let cut = 0; cut < cuts; cut += 1) {
      await thaw.pg.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'thaw/' || $1 || '/%'`,
        [asked.restoreId],
      );
      await expectOneState(old);
      await delay(Math.random() * 300);
    }
    await pace(0);
    await expectRestored(asked);
  }
});

test('a worker killed while it takes a snapshot leaves a whole one in the end', { timeout }, async () => {
  for (let round = 0; round < rounds; round += 1) {
    const asked = request();
    // Whoever waits for a table has written others by then.
    const other = await thaw.database.client();
    await other.query('begin; lock table shop.notes in access exclusive mode');
    const taking = snapshots.take(asked);
    const waits = async () =>
      (await thaw.pg.query(`select from pg_locks where not granted and relation = 'shop.notes'::regclass`))
        .rowCount !== 0;
    await until('it waits for a table', waits, 60_000);
    await worker.kill();
    await other.end();
    expect(await thaw.bucket.keys(`archives/snapshots/${asked.id}/manifest.json`)).toEqual([]);
    worker = await WorkerProcess.start(thaw, folder);
    expect(await taking).toMatchObject({ id: asked.id, totalRows: wanted.flat().length });
    await expectWhole(asked.id);
    await expectNoSessions(thaw.pg);
  }
});
