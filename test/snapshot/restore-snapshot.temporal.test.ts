import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SnapshotClient } from '../../src/client/snapshot-client.ts';
import { toSnapshotRequest } from '../../src/client/snapshot-request.ts';
import { SnapshotRestoreClient } from '../../src/client/snapshot-restore-client.ts';
import { toSnapshotRestore } from '../../src/client/snapshot-restore-request.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import type { SnapshotOutcome, SnapshotRequest } from '../../src/contract/snapshot.ts';
import type { RowText } from '../../src/contract/snapshot-difference.ts';
import type { SnapshotHistory } from '../../src/contract/snapshot-history.ts';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { readHistory } from '../../src/postgres/snapshot-history.ts';
import { readSnapshotRestore } from '../../src/postgres/snapshot-restores.ts';
import { manifestText } from '../../src/snapshot/container/manifest.ts';
import {
  findManifest,
  listSnapshots,
  removeSnapshot,
} from '../../src/snapshot/container/stored-snapshots.ts';
import { differenceLine, headerLine } from '../../src/snapshot/merge/difference-file.ts';
import { storeSelection } from '../../src/snapshot/merge/selection.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { until } from '../fault/until.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { rowsOf } from './merge/merge-site.ts';
import { recipe } from './replay/recipe.ts';

let thaw: TestThaw;
let store: ObjectStore;
let snapshots: SnapshotClient;
let restores: SnapshotRestoreClient;
/** What the tables hold when the snapshot is taken. */
let wanted: string[][];
let snapshotId: string;
/** A folder with the configuration. */
let root: string;

const mine = '6d1f0d5c-0000-4000-8000-000000000001';
const theirs = '6d1f0d5c-0000-4000-8000-000000000002';
const tables = ['public.people', 'shop.orders', 'shop.notes'];
const names = [
  { schema: 'shop', table: 'orders' },
  { schema: 'shop', table: 'notes' },
  { schema: 'public', table: 'people' },
];

beforeAll(async () => {
  thaw = await createTestThaw('snapshot_restore', 'worker', {
    env: { THAW_SNAPSHOT_RESTORES_PER_HOUR: '5' },
  });
  store = openStore(thaw.config.store, {});
  snapshots = new SnapshotClient(thaw.client, thaw.temporal.taskQueue);
  restores = new SnapshotRestoreClient(thaw.client, thaw.temporal.taskQueue);
  await thaw.pg.query(`
    create schema shop;
    create table people (id integer primary key, tenant_id uuid not null, name text, updated_at timestamptz,
      boss integer references people);
    create table shop.orders (id bigint generated always as identity primary key, tenant_id uuid not null,
      person integer not null references people on delete cascade, total numeric);
    create table shop.notes (tenant_id uuid not null, text text);
    create table shop.settings (id integer primary key, value text);
    create table shop.outside (id integer primary key, person integer references people on delete set null);
    create function shop.stamp() returns trigger language plpgsql as $$
      begin new.name := 'changed by a trigger'; return new; end $$;
    create trigger stamp before insert or update on people for each row execute function shop.stamp();
    ${pitrSql('public')}`);
  await fill();
  wanted = await contents();
  snapshotId = (await take()).id;
  root = await mkdtemp(path.join(tmpdir(), 'thaw-restore-'));
  await writeFile(path.join(root, 'config.yaml'), thaw.configText);
});
afterAll(async () => {
  store.close();
  await rm(root, { recursive: true });
  await thaw.close();
});

async function fill(): Promise<void> {
  await thaw.pg.query(`
    alter table people disable trigger stamp;
    truncate people, shop.orders, shop.notes, shop.outside, shop.settings restart identity;
    insert into people select n, case n % 2 when 0 then uuid '${mine}' else '${theirs}' end, 'person ' || n,
      '2026-01-01', nullif(n - 2, 0) from generate_series(2, 40, 2) as n;
    insert into people select n, '${theirs}', 'person ' || n, '2026-01-01', null from generate_series(1, 39, 2) as n;
    insert into shop.orders (tenant_id, person, total) select tenant_id, id, id * 1.5 from people order by id;
    insert into shop.notes select '${mine}', 'note ' || n % 3 from generate_series(1, 10) as n;
    insert into shop.outside values (1, 4);
    alter table people enable trigger stamp;
    do $$ begin if to_regclass('thaw.snapshot_history') is not null then delete from thaw.snapshot_history; end if; end $$`);
}

beforeEach(fill);

function take() {
  const id = `t${randomBytes(8).toString('hex')}`;
  return snapshots.take(
    toSnapshotRequest(
      thaw.config,
      {
        ...{
          database: thaw.database.name,
          name: null,
          type: 'manual',
          by: 'ada',
          tables: names,
          schemas: [],
        },
        ...{ tenant: null, keep: null, readers: 2, partBytes: 500 },
      },
      id,
      5,
    ),
  );
}

/** As if a snapshot had been taken with another time to be kept. */
async function expireAt(id: string, expiresAt: string): Promise<void> {
  const manifest = await findManifest({ store, prefix: thaw.config.store.prefix }, id);
  if (manifest === null) throw new Error(`there is no snapshot ${id}`);
  await thaw.bucket.put(`archives/snapshots/${id}/manifest.json`, manifestText({ ...manifest, expiresAt }));
}

/** Changes all tables, in every way. */
async function change(): Promise<void> {
  await thaw.pg.query(`
    alter table people disable trigger stamp;
    delete from people where id in (40, 7);
    update people set name = 'other', updated_at = '2026-02-01' where id in (8, 9);
    insert into people values (100, '${mine}', 'new', null, 2), (101, '${theirs}', 'new', null, null);
    delete from shop.notes where text = 'note 1';
    insert into shop.orders (tenant_id, person, total) values ('${mine}', 100, 1), ('${theirs}', 101, 2);
    alter table people enable trigger stamp;`);
}

async function contents(where = 'true'): Promise<string[][]> {
  const all: string[][] = [];
  for (const table of tables) all.push(await rowsOf(thaw.pg, `(select * from ${table} where ${where})`));
  return all;
}

function requestOf(given: Partial<SnapshotRequest> = {}): SnapshotRequest {
  const { restoreId = `r${randomBytes(8).toString('hex')}`, ...input } = given;
  return toSnapshotRestore(
    thaw.config,
    {
      ...{ database: thaw.database.name, source: { kind: 'stored', id: snapshotId }, tables: null },
      ...{ strategy: 'overwrite', newerBy: null, tenant: null, selection: null, ifUnchanged: null },
      ...{ schemaStrategy: 'strict', again: true, preSnapshot: false, reason: 'a test', by: 'ada' },
      ...input,
    },
    restoreId,
    5,
  );
}

async function restore(given: Partial<SnapshotRequest> = {}): Promise<SnapshotOutcome> {
  const request = requestOf(given);
  await restores.start(request);
  return restores.outcome(request.restoreId);
}

/** What a restore may leave behind: stages, keys that are recorded, tables that are held. */
async function leftovers(): Promise<unknown> {
  const { rows } = await thaw.pg.query(
    `select (select count(*)::int from pg_namespace where nspname like 'thaw\\_stage\\_%') as stages,
       (select count(*)::int from thaw.snapshot_foreign_keys) as keys,
       (select count(*)::int from thaw.targets where released_at is null) as held,
       (select count(*)::int from pg_trigger where tgname = 'stamp' and tgenabled = 'O') as triggers,
       (select string_agg(pg_get_constraintdef(oid) || convalidated, '; ' order by conname) from pg_constraint
        where contype = 'f' and conrelid::regclass::text ~ 'people|shop') as foreign_keys`,
  );
  return rows[0];
}

const clean = {
  ...{ stages: 0, keys: 0, held: 0, triggers: 1 },
  foreign_keys:
    'FOREIGN KEY (person) REFERENCES people(id) ON DELETE CASCADEtrue; FOREIGN KEY (person) REFERENCES people(id) ON DELETE SET NULLtrue; FOREIGN KEY (boss) REFERENCES people(id)true',
};

test('brings all tables back as they were, and keeps what was there', async () => {
  const source = { kind: 'stored', id: (await take()).id } as const;
  await change();
  const before = await contents();
  const request = requestOf({ source, preSnapshot: true, again: false });
  await restores.start(request);
  const outcome = await restores.outcome(request.restoreId);
  expect(outcome).toMatchObject({
    ...{
      state: 'completed',
      error: null,
      strategy: 'overwrite',
      transactionId: expect.stringMatching(/^\d+$/),
    },
    tables: [
      { schema: 'public', table: 'people', inserted: 2, updated: 2, deleted: 2, unchanged: 36 },
      { schema: 'shop', table: 'notes', inserted: 4, updated: 0, deleted: 0, unchanged: 6 },
      { schema: 'shop', table: 'orders', inserted: 2, updated: 0, deleted: 2, unchanged: 38 },
    ],
  });
  expect(await contents()).toEqual(wanted);
  expect(await leftovers()).toEqual(clean);
  const place = { store, prefix: thaw.config.store.prefix };
  const { preSnapshotId } = outcome;
  expect(await findManifest(place, preSnapshotId ?? '')).toMatchObject({
    type: 'pre_restore',
    totalRows: 86,
  });
  // Once more under the same id, as after Temporal has lost it, finds that it is done.
  await thaw.pg.query('delete from shop.notes');
  await restores.start(request);
  const { tables: done, transactionId } = outcome;
  expect(await restores.outcome(request.restoreId)).toMatchObject({
    ...{ state: 'completed', tables: done, transactionId, preSnapshotId: outcome.preSnapshotId },
  });
  expect(await rowsOf(thaw.pg, 'shop.notes')).toEqual([]);
  expect(await leftovers()).toEqual(clean);
  // And back again.
  await restore({ source: { kind: 'stored', id: preSnapshotId ?? '' } });
  expect(await contents()).toEqual(before);
  // Once is enough, unless it is said.
  expect(await restore({ source, again: false })).toMatchObject({
    ...{ state: 'failed', error: { code: 'InputInvalid', hint: expect.stringContaining('--again') } },
  });
  expect(await contents()).toEqual(before);
});

test('brings tables to a time behind a snapshot, by the log of what changed in them', async () => {
  await thaw.pg.query(recipe(['public.people', 'shop.orders']));
  const source = { kind: 'stored', id: (await take()).id } as const;
  await change();
  const then = await contents();
  const { rows } = await thaw.pg.query<{ at: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`,
  );
  const to = rows[0]?.at ?? '';
  await thaw.pg.query(`delete from shop.orders where id > 20; update people set boss = 2 where id > 30;
    delete from shop.notes`);
  const log = { schema: 'public', table: 'backup_transaction_logs' };
  const pointInTime = { to, log, since: null, acceptFaults: false };
  const logged = names.filter(({ table }) => table !== 'notes');
  const damaged = await contents();
  const outcome = await restore({ source, tables: logged, pointInTime, preSnapshot: true });
  expect(outcome).toMatchObject({
    ...{ state: 'completed', error: null },
    notices: [
      `Replayed up to ${to}: 10 changes of public.backup_transaction_logs`,
      'public.people: 2 INSERT, 2 UPDATE, 2 DELETE',
      'shop.orders: 2 INSERT, 0 UPDATE, 2 DELETE',
    ],
  });
  expect(await contents()).toEqual([then[0], then[1], []]);
  expect(await leftovers()).toEqual(clean);
  // It is taken back as any other.
  const { address, taskQueue } = thaw.temporal;
  const env = { THAW_CONFIG: path.join(root, 'config.yaml'), THAW_STATE_DIR: root, USER: 'ada' };
  const cluster = { ...env, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue };
  const undone = await thawHere(['undo', outcome.restoreId, '--yes', '--json'], cluster);
  expect([undone.exitCode, JSON.parse(undone.stdout).state]).toEqual([0, 'completed']);
  expect(await contents()).toEqual(damaged);
  // No log has what the restore did; up to the time before it, the snapshot is a base as good as before.
  const late = { ...pointInTime, to: new Date().toISOString() };
  expect(await restore({ source, tables: logged, pointInTime: late })).toMatchObject({
    state: 'failed',
    error: { code: 'InputInvalid', message: expect.stringContaining('which no log has') },
  });
  expect(await restore({ source, tables: logged, pointInTime })).toMatchObject({ state: 'completed' });
  expect(await contents()).toEqual([then[0], then[1], []]);
  expect(await leftovers()).toEqual(clean);

  // A backup of the source system, of a tenant, is brought forward from the moment at which it is said to be.
  await thaw.pg.query('truncate backup_transaction_logs');
  const now = async () => {
    const { rows: at } = await thaw.pg.query<{ now: string }>(
      `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
    );
    return at[0]?.now ?? '';
  };
  const own = `tenant_id = '${mine}'`;
  const { rows: backup } = await thaw.pg.query<{ object: string }>(
    `select json_build_object('people', (select json_agg(t) from people as t where ${own}))::text as object`,
  );
  const key = `backups/${mine}/since-backup.json`;
  await store.write(key, Buffer.from(backup[0]?.object ?? ''), 'application/json');
  const since = await now();
  const people = () => rowsOf(thaw.pg, 'people');
  const rename = (name: string) =>
    thaw.pg.query(`alter table people disable trigger stamp; update people set name = '${name}' where id in (2, 1);
      alter table people enable trigger stamp`);
  await rename('wanted');
  const [moment, wantedPeople] = [await now(), await people()];
  await rename('unwanted');
  const theirsNow = await rowsOf(thaw.pg, `(select * from people where not ${own})`);
  const args = ['snapshot', 'restore', key, '--table', 'people', '--to', moment, '--confirm', '--json'];
  const unsaid = await thawHere(args, cluster);
  expect([unsaid.exitCode, unsaid.stdout]).toEqual([1, expect.stringContaining('--since')]);
  const forward = await thawHere([...args, '--since', since], cluster);
  expect([forward.exitCode, JSON.parse(forward.stdout).tables]).toEqual([
    0,
    [
      {
        schema: 'public',
        table: 'people',
        inserted: 0,
        updated: 1,
        deleted: 0,
        unchanged: expect.any(Number),
      },
    ],
  ]);
  expect(await rowsOf(thaw.pg, `(select * from people where ${own})`)).toEqual(
    wantedPeople.filter((row) => row.includes(mine)),
  );
  expect(await rowsOf(thaw.pg, `(select * from people where not ${own})`)).toEqual(theirsNow);
  await thaw.pg.query('drop function log_change cascade');
});

test('a row of backup_pitr_snapshots and an object bring back the rows of their tenant, and no others', async () => {
  const { rows } = await thaw.pg.query<{ id: string; object: string }>(
    `select create_pitr_snapshot('${mine}', 'night', '{people,shop.orders,shop.notes}', 'bob') as id,
       json_build_object('people', (select json_agg(t) from people as t where tenant_id = '${mine}'),
         'shop.orders', (select json_agg(t) from shop.orders as t where tenant_id = '${mine}'),
         'shop.notes', (select json_agg(t) from shop.notes as t))::text as object`,
  );
  const { id = '', object = '' } = rows[0] ?? {};
  const [own, others] = [`tenant_id = '${mine}'`, `tenant_id <> '${mine}'`];
  const wantedOfMine = await contents(own);
  const key = `backups/${mine}/night-backup.json`;
  await store.write(key, Buffer.from(object), 'application/json');
  const sources = [
    { kind: 'table', id },
    { kind: 'object', key },
  ] as const;
  for (const source of sources) {
    await fill();
    await change();
    const othersBefore = await contents(others);
    expect(await restore({ source, again: false })).toMatchObject({ error: null });
    expect(await contents(own)).toEqual(wantedOfMine);
    expect(await contents(others)).toEqual(othersBefore);
    expect(await restore({ source, again: false })).toMatchObject({
      error: { code: 'InputInvalid', message: expect.stringContaining('already rolled back') },
    });
  }
  const { rows: marked } = await thaw.pg.query(
    `select status, is_rolled_back, rolled_back_by, rollback_notes from backup_pitr_snapshots where id = $1`,
    [id],
  );
  expect(marked).toEqual([
    {
      ...{ status: 'rolled_back', is_rolled_back: true, rolled_back_by: 'ada' },
      rollback_notes: expect.stringMatching(/^Thaw restore r.*: a test$/),
    },
  ]);
  expect(await leftovers()).toEqual(clean);
});

test('a table that is a tenant’s as a whole is kept as a whole before it is brought back', async () => {
  await thaw.pg.query(`insert into shop.settings values (1, 'old')`);
  const { rows } = await thaw.pg.query<{ id: string }>(
    `insert into backup_pitr_snapshots (tenant_id, snapshot_name, created_by, affected_tables, snapshot_data, metadata)
     select '${mine}', 'night', 'bob', '{shop.settings,shop.notes}', jsonb_build_object(
       'shop.settings', (select jsonb_agg(t) from shop.settings as t), 'shop.notes', '[]'::jsonb),
       '{"whole_tables": ["shop.settings"]}'
     returning id`,
  );
  await thaw.pg.query(
    `update shop.settings set value = 'new'; insert into shop.notes values ('${theirs}', 'theirs')`,
  );
  const source = { kind: 'table', id: rows[0]?.id ?? '' } as const;
  const outcome = await restore({ source, preSnapshot: true });
  expect(outcome).toMatchObject({ state: 'completed' });
  expect(await rowsOf(thaw.pg, 'shop.settings')).toEqual(['(1,old)']);
  expect(await rowsOf(thaw.pg, 'shop.notes')).toEqual([`(${theirs},theirs)`]);
  await restore({ source: { kind: 'stored', id: outcome.preSnapshotId ?? '' } });
  expect(await rowsOf(thaw.pg, 'shop.settings')).toEqual(['(1,new)']);
  expect(await rowsOf(thaw.pg, 'shop.notes')).toHaveLength(11);
});

test('merge takes newer rows and deletes none, selective what was marked, and neither what changed since', async () => {
  await change();
  await thaw.pg.query(`
    alter table people disable trigger stamp;
    update people set name = 'older', updated_at = '2025-01-01' where id = 10;
    update people set name = 'untimed', updated_at = null where id = 12;
    alter table people enable trigger stamp`);
  const people = { tables: [{ schema: 'public', table: 'people' }] } as const;
  expect(await restore({ ...people, strategy: 'merge', newerBy: 'updated_at' })).toMatchObject({
    tables: [{ inserted: 2, updated: 1, deleted: 0, unchanged: 37 }],
  });
  const names = () => rowsOf(thaw.pg, '(select id, name from people where id in (7, 8, 10, 12, 40, 100))');
  expect(await names()).toEqual([
    ...['(10,"person 10")', '(100,new)', '(12,untimed)', '(40,"person 40")', '(7,"person 7")', '(8,other)'],
  ]);

  const { rows } = await thaw.pg.query<RowText>(
    `select id::text, tenant_id::text, name, updated_at::text, boss::text from people where id in (8, 12) order by id`,
  );
  const marked = rows.map((before) => {
    const after = { ...before, name: `person ${before.id}`, updated_at: '2026-01-01 00:00:00+00' };
    const difference = { schema: 'public', table: 'people', kind: 'update', before, after } as const;
    return differenceLine({ ...difference, key: { id: before.id ?? '' } }, before.id === '8');
  });
  const source = { kind: 'stored', id: snapshotId } as const;
  const place = { store, prefix: thaw.config.store.prefix };
  const select = async (restoreId: string, database = thaw.database.name) => {
    const header = headerLine({ database, source, tenant: null, ifUnchanged: '' });
    const bytes = Buffer.from([header, ...marked].join(''));
    return storeSelection(place, restoreId, Readable.from([bytes]));
  };
  const selective = { ...people, strategy: 'selective' } as const;
  const elsewhere = await select('kept', 'another');
  expect(await restore({ ...selective, selection: elsewhere })).toMatchObject({
    error: { code: 'InputInvalid', message: expect.stringContaining('a diff of another') },
  });
  const restoreId = `r${randomBytes(8).toString('hex')}`;
  const selection = await select(restoreId);
  expect(await restore({ ...selective, restoreId, selection })).toMatchObject({
    tables: [{ inserted: 0, updated: 1, deleted: 0 }],
  });
  expect(await names()).toContain('(8,"person 8")');
  expect(await names()).toContain('(12,untimed)');
  expect(await store.read(selection)).toBeNull();
  expect(await restore({ ...selective, selection: await select('kept') })).toMatchObject({
    error: { code: 'ConflictFound', message: expect.stringContaining('have changed since the diff') },
  });
  expect(await restore({ ...people, ifUnchanged: 'AAAAAAAAAAA' })).toMatchObject({ state: 'failed' });
  expect(await leftovers()).toEqual(clean);
});

test('what fails in the middle of a merge leaves everything as it was', async () => {
  await change();
  // A row of a table that is not restored refers to one that goes; its key would set it to NULL, and is held.
  await thaw.pg.query('insert into shop.outside values (2, 100)');
  const before = await contents();
  const request = requestOf({ preSnapshot: true });
  await restores.start(request);
  const outcome = await restores.outcome(request.restoreId);
  expect(outcome).toMatchObject({
    ...{ state: 'failed', preSnapshotId: null, tables: [], transactionId: null },
    error: { code: 'RowRejected', message: expect.stringContaining('shop.outside: rows with (id) = (2)') },
  });
  expect(await contents()).toEqual(before);
  expect(await leftovers()).toEqual(clean);
  const { rows } = await thaw.pg.query(
    `select h.status, h.error_details ->> 'code' as code, r.state, r.merged_at from thaw.snapshot_history h
     join thaw.snapshot_restores r using (restore_id) where restore_id = $1`,
    [request.restoreId],
  );
  expect(rows).toEqual([{ status: 'failed', code: 'RowRejected', state: 'failed', merged_at: null }]);
  const place = { store, prefix: thaw.config.store.prefix };
  const { snapshots: left } = await listSnapshots(place);
  expect(left.filter(({ name }) => name.includes(request.restoreId))).toEqual([]);
});

test('tables and snapshots of a restore are nobody else’s, and a cancelled merge changes nothing', async () => {
  const source = { kind: 'stored', id: (await take()).id } as const;
  const env = { THAW_CONFIG: path.join(root, 'config.yaml') };
  await change();
  const before = await contents();
  const writer = await thaw.database.client();
  try {
    // The merge waits for who writes into a table.
    await writer.query('begin; update people set name = name where id = 1');
    const request = requestOf({ source, preSnapshot: true });
    await restores.start(request);
    await until(
      'it merges',
      async () => (await restores.progress(request.restoreId)).snapshotStep === 'merge',
    );
    // What is read, and what was there, is not deleted meanwhile, by nobody and for no reason.
    const { preSnapshotId } = await restores.progress(request.restoreId);
    for (const id of [source.id, preSnapshotId ?? '']) {
      expect(await thawHere(['snapshot', 'delete', id, '--yes'], env)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining(`Snapshot ${id} is needed by restore ${request.restoreId}`),
      });
    }
    await expireAt(source.id, '2026-01-01T00:00:00.000Z');
    expect(await thawHere(['snapshot', 'expire'], env)).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: `${source.id} has expired, and is kept while restore ${request.restoreId} needs it.\n`,
    });
    const busy = { code: 'TargetBusy', message: expect.stringContaining(request.restoreId) };
    const other = requestOf({ tables: [{ schema: 'public', table: 'people' }] });
    await restores.start(other);
    expect(await restores.outcome(other.restoreId)).toMatchObject({ state: 'failed', error: busy });
    expect(await thaw.restore(['people'])).toMatchObject({ tables: [{ error: busy }] });
    const progress = await restores.progress(request.restoreId);
    expect(progress).toMatchObject({
      ...{
        state: 'running',
        keys: expect.arrayContaining([
          { name: 'people_boss_fkey', table: 'public.people', hold: 'made deferrable' },
        ]),
      },
      locks: expect.arrayContaining([
        expect.objectContaining({ table: 'shop.outside', lock: 'access exclusive' }),
      ]),
    });
    // What keeps the tables waits for its next time.
    const handle = thaw.client.workflow.getHandle(restoreWorkflowId(request.restoreId));
    const pending = (await handle.describe()).raw.pendingActivities ?? [];
    expect(pending.find(({ activityType }) => activityType?.name === 'renewSnapshot')).toMatchObject({
      ...{ attempt: 2, lastFailure: { applicationFailureInfo: { type: 'Renewed' } } },
      currentRetryInterval: { seconds: expect.objectContaining({ low: 120 }) },
    });
    await thaw.restores.cancel(request.restoreId, 'wrong one');
    expect(await restores.outcome(request.restoreId)).toMatchObject({ state: 'cancelled', error: null });
    await writer.query('rollback');
  } finally {
    await writer.end();
  }
  expect(await contents()).toEqual(before);
  expect(await leftovers()).toEqual(clean);
  expect(await thawHere(['snapshot', 'expire'], env)).toMatchObject({ stdout: `Deleted ${source.id}.\n` });
});

test('what a terminated restore has left is settled by who looks or restores next, and a running one never', async () => {
  await change();
  const before = await contents();
  const { address, taskQueue } = thaw.temporal;
  const here = { THAW_CONFIG: path.join(root, 'config.yaml'), THAW_STATE_DIR: path.join(root, 'none') };
  const env = { ...here, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue };
  const request = requestOf({ preSnapshot: true });
  const { restoreId } = request;
  const look = async (where: NodeJS.ProcessEnv) => {
    const { stdout, stderr } = await thawHere(['snapshot', 'history', '--json'], where);
    const found = (JSON.parse(stdout).restores as SnapshotHistory[]).find(
      (one) => one.restore_id === restoreId,
    );
    return { status: found?.status, stderr };
  };
  const other = await thaw.database.client();
  try {
    // Its foreign key is taken off, which waits for whoever reads the table.
    await other.query('begin; lock table shop.outside in access share mode');
    await restores.start(request);
    const step = async () => (await readHistory(thaw.pg, restoreId))?.current_step;
    await until('it merges', async () => (await step()) === 'restoring_public.people');
    expect(await look(env)).toEqual({ status: 'in_progress', stderr: '' });
    await thaw.client.workflow.getHandle(`restore/${restoreId}`).terminate('by an operator');
    // Who cannot ask does not know.
    expect(await look(here)).toEqual({ status: 'in_progress', stderr: '' });
    expect(await look(env)).toEqual({
      status: 'failed',
      stderr: expect.stringContaining(`Restore ${restoreId} has changed nothing`),
    });
  } finally {
    await other.end();
  }
  expect(await contents()).toEqual(before);
  expect(await leftovers()).toEqual(clean);
  const place = { store, prefix: thaw.config.store.prefix };
  const kept = await readSnapshotRestore(thaw.pg, restoreId);
  expect(await findManifest(place, kept?.preSnapshotId ?? '')).toBeNull();
  expect(kept).toMatchObject({
    ...{ state: 'failed', endedAt: expect.any(String), mergedAt: null },
    outcome: { state: 'failed', tables: [], preSnapshotId: null, error: { hint: expect.any(String) } },
  });

  // The next restore has its tables, also where one ended behind its commit.
  const merged = await restore();
  await thaw.pg.query(
    `update thaw.snapshot_restores set state = 'running', outcome = null, ended_at = null where restore_id = $1`,
    [merged.restoreId],
  );
  await thaw.pg.query(
    `update thaw.targets set released_at = null, lease_until = now() + interval '5 minutes' where restore_id = $1`,
    [merged.restoreId],
  );
  expect(await restore()).toMatchObject({
    state: 'completed',
    notices: expect.arrayContaining([
      expect.stringContaining(`Restore ${merged.restoreId} had brought its rows back`),
    ]),
  });
  expect((await readSnapshotRestore(thaw.pg, merged.restoreId))?.outcome).toMatchObject({
    ...{ state: 'completed', tables: merged.tables, transactionId: merged.transactionId, error: null },
  });
  expect(await contents()).toEqual(wanted);
  expect(await leftovers()).toEqual(clean);
});

test('nothing is merged where what was there is kept no more', async () => {
  await change();
  const before = await contents();
  const writer = await thaw.database.client();
  try {
    await writer.query('begin; update people set name = name where id = 1');
    const request = requestOf({ preSnapshot: true });
    const { restoreId } = request;
    await restores.start(request);
    const ofWaiting = async (what: string) => {
      const { rowCount } = await thaw.pg.query(
        `select ${what} from pg_stat_activity
         where starts_with(application_name, $1) and wait_event_type = 'Lock'`,
        [`thaw/${restoreId}/snapshot/`],
      );
      return rowCount !== 0;
    };
    await until('it waits for the writer', () => ofWaiting('pid'));
    // By somebody who does not ask; then the merge is tried again.
    const { preSnapshotId } = await restores.progress(restoreId);
    await removeSnapshot({ store, prefix: thaw.config.store.prefix }, preSnapshotId ?? '');
    expect(await ofWaiting('pg_terminate_backend(pid)')).toBe(true);
    expect(await restores.outcome(restoreId)).toMatchObject({
      ...{ state: 'failed', preSnapshotId: null },
      error: { code: 'ArchiveNotFound', message: expect.stringContaining(preSnapshotId ?? '') },
    });
  } finally {
    await writer.end();
  }
  expect(await contents()).toEqual(before);
  expect(await leftovers()).toEqual(clean);
});

test('thaw snapshot restore asks before, restores, and tells how it went; status knows it without Temporal', async () => {
  await change();
  const { address, taskQueue } = thaw.temporal;
  const env = { THAW_CONFIG: path.join(root, 'config.yaml'), USER: 'ada' };
  const inCluster = { ...env, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue, THAW_STATE_DIR: root };
  const command = ['snapshot', 'restore', snapshotId, '--again', '--reason', 'by hand'];
  expect(await thawHere(command, inCluster)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('become what it holds; what was changed in them since is lost'),
  });
  const ended = await thawHere([...command, '--confirm', '--json'], inCluster);
  const outcome = JSON.parse(ended.stdout) as SnapshotOutcome;
  expect([ended.exitCode, outcome.state]).toEqual([0, 'completed']);
  expect(await contents()).toEqual(wanted);
  const { restoreId, preSnapshotId } = outcome;
  const told = await thawHere(['status', restoreId], { ...env, THAW_STATE_DIR: path.join(root, 'none') });
  expect(told.stdout).toContain(`Restore ${restoreId} of ${thaw.database.name} to snapshot ${snapshotId}`);
  expect(told.stdout).toContain(
    `What was there is snapshot ${preSnapshotId}; back by: thaw undo ${restoreId}`,
  );
  expect(told.stdout).toMatch(/public\.people +2 +2 +2 +36/);
  const watched = await thawHere(['watch', restoreId], inCluster);
  expect(watched).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Restored 3 tables of') });
  const again = await thawHere(['snapshot', 'restore', snapshotId, '--confirm'], inCluster);
  expect(again.exitCode).toBe(1);
  expect(again.stdout).toContain('already rolled back');
});

test('others see how far a restore is while it merges, table by table', async () => {
  await change();
  const history = async (restoreId: string) => {
    const found = await readHistory(thaw.pg, restoreId);
    if (found === null) throw new Error(`no history of ${restoreId}`);
    return found;
  };
  const other = await thaw.database.client();
  // Its foreign key is taken off, which waits for whoever reads the table.
  await other.query('begin; lock table shop.outside in access share mode');
  const request = requestOf({ preSnapshot: false });
  await restores.start(request);
  const { restoreId } = request;
  await expect
    .poll(async () => (await readHistory(thaw.pg, restoreId))?.current_step, { timeout: 30_000 })
    .toBe('restoring_public.people');
  const held = await history(restoreId);
  expect(held).toMatchObject({
    ...{ status: 'in_progress', initiated_by: 'ada', reason: 'a test', snapshot_id: snapshotId },
    ...{
      tables_affected: tables.toSorted(),
      tables_restored: [],
      transaction_ids: expect.arrayContaining([expect.any(String)]),
    },
  });
  expect(held.restoration_steps.map(({ status, progress_pct: percent }) => [status, percent])).toEqual(
    Array(3).fill(['merging', 75]),
  );
  await expect
    .poll(async () => (await restores.progress(restoreId)).steps.map(({ status }) => status), {
      timeout: 30_000,
    })
    .toEqual(['merging', 'merging', 'merging']);
  await other.query('rollback');
  const outcome = await restores.outcome(restoreId);
  expect(await history(restoreId)).toMatchObject({
    ...{ status: 'completed', tables_restored: tables.toSorted() },
    ...{ fk_constraints_handled: { disabled: 2, enabled: 2 }, metadata: { tables: outcome.tables } },
  });
  expect(Number((await history(restoreId)).rows_restored)).toBe(10);
  expect((await history(restoreId)).transaction_ids).toContain(outcome.transactionId);
  expect(await contents()).toEqual(wanted);
});

test('what the schema strategies let through is named, converted and restored', async () => {
  const { address, taskQueue } = thaw.temporal;
  const env = { THAW_CONFIG: path.join(root, 'config.yaml'), THAW_STATE_DIR: root, USER: 'ada' };
  const cluster = { ...env, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue };
  const run = async (...args: string[]) => {
    const { exitCode, stdout } = await thawHere(['snapshot', ...args, '--json'], cluster);
    return { exitCode, json: JSON.parse(stdout) };
  };
  const takePrices = async () => String((await run('create', '--table', 'shop.prices')).json.id);
  const restoreBy = (strategy: string, id: string) =>
    run('restore', id, '--again', '--confirm', '--schema-migration-strategy', strategy);
  const prices = () => rowsOf(thaw.pg, 'shop.prices');
  await thaw.pg.query(`create table shop.prices (id int primary key, price numeric, old text);
    insert into shop.prices values (1, 1.5, 'a'), (2, 2.25, 'b')`);
  const before = await takePrices();
  await thaw.pg.query(`alter table shop.prices alter price type numeric(10, 0), drop old, add new text default 'fresh';
    delete from shop.prices where id = 2; update shop.prices set price = 7, new = 'kept'`);
  const [changed, gained, lost] = [
    'shop.prices, column price: it was numeric and is numeric(10,0)',
    'shop.prices, column new: the snapshot does not have it, the table has it now',
    'shop.prices, column old: the table does not have it any more',
  ];
  for (const [strategy, told] of [
    ['none', [changed, gained, lost]],
    ['strict', [changed, gained, lost]],
    ['lenient', [`${changed}: values may be rounded`]],
  ] as const) {
    const { exitCode, json } = await restoreBy(strategy, before);
    expect([strategy, exitCode, json.error.code]).toEqual([strategy, 3, 'SchemaIncompatible']);
    for (const text of told) expect(json.error.message).toContain(text);
    expect(await prices()).toEqual(['(1,7,kept)']);
  }
  const { exitCode, json } = await restoreBy('transform', before);
  expect([exitCode, json.error]).toEqual([0, null]);
  expect(json.tables).toMatchObject([{ table: 'prices', inserted: 1, updated: 1, deleted: 0 }]);
  expect(json.notices).toEqual(
    expect.arrayContaining([
      `${changed}: values may be rounded, cut off or moved`,
      `${gained}; rows that are there keep it, others get its default`,
      `${lost}; its values are left out`,
      'shop.prices: the table has no column old; 2 values of the snapshot are left out.',
    ]),
  );
  const converted = ['(1,2,kept)', '(2,2,fresh)'];
  expect(await prices()).toEqual(converted);
  // Of a table that is as it was, nothing has to be migrated.
  const after = await takePrices();
  await thaw.pg.query(`update shop.prices set price = 9; insert into shop.prices values (3, 3)`);
  expect(await restoreBy('none', after)).toMatchObject({ exitCode: 0, json: { state: 'completed' } });
  expect(await prices()).toEqual(converted);
});

test('refuses, before anything is taken or touched, a table that is another and one restore of a tenant too many', async () => {
  await thaw.pg.query('alter table shop.orders alter total type real');
  try {
    const refused = await restore();
    expect(refused).toMatchObject({
      state: 'failed',
      preSnapshotId: null,
      error: { code: 'SchemaIncompatible' },
    });
    expect(refused.error?.message).toContain('shop.orders, column total: it was numeric and is real');
    const lossy = await restore({ schemaStrategy: 'lenient' });
    expect(lossy.error).toMatchObject({
      code: 'SchemaIncompatible',
      message: expect.stringContaining('rounded'),
    });
  } finally {
    await thaw.pg.query('alter table shop.orders alter total type numeric');
  }
  const begun = (count: number) =>
    thaw.pg.query(
      `insert into thaw.snapshot_history (restore_id, tenant_id, snapshot_id, initiated_by, metadata)
       select 'earlier-' || n, $1, 's', 'ann', jsonb_build_object('tenant', jsonb_build_object('column', 'tenant_id'))
       from generate_series(1, ${count}) as n on conflict do nothing`,
      [theirs],
    );
  const tenant = { column: 'tenant_id', value: theirs };
  await begun(4);
  expect(await restore({ tenant, preSnapshot: false, again: true })).toMatchObject({ state: 'completed' });
  expect(await restore({ tenant, again: true })).toMatchObject({
    ...{ state: 'failed', preSnapshotId: null },
    error: { code: 'TooManyRestores', hint: expect.stringContaining('Nothing was changed') },
  });
  expect(await leftovers()).toEqual(clean);
});
