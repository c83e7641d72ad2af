import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SnapshotClient } from '../../src/client/snapshot-client.ts';
import { toSnapshotRequest } from '../../src/client/snapshot-request.ts';
import { SnapshotRestoreClient } from '../../src/client/snapshot-restore-client.ts';
import { toSnapshotRestore } from '../../src/client/snapshot-restore-request.ts';
import type { SnapshotOutcome, SnapshotRequest } from '../../src/contract/snapshot.ts';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { findManifest } from '../../src/snapshot/container/stored-snapshots.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openStore } from '../../src/store/open-store.ts';
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

const mine = '6d1f0d5c-0000-4000-8000-000000000001';
const theirs = '6d1f0d5c-0000-4000-8000-000000000002';
const tables = ['public.people', 'shop.orders', 'shop.notes'];
const names = [
  { schema: 'shop', table: 'orders' },
  { schema: 'shop', table: 'notes' },
  { schema: 'public', table: 'people' },
];

beforeAll(async () => {
  thaw = await createTestThaw('snapshot_restore');
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
    create table shop.outside (id integer primary key, person integer references people on delete set null);
    create function shop.stamp() returns trigger language plpgsql as $$
      begin new.name := 'changed by a trigger'; return new; end $$;
    create trigger stamp before insert or update on people for each row execute function shop.stamp();
    ${pitrSql('public')}`);
});
afterAll(async () => {
  store.close();
  await thaw.close();
});

beforeEach(async () => {
  await thaw.pg.query(`
    alter table people disable trigger stamp;
    truncate people, shop.orders, shop.notes, shop.outside;
    insert into people select n, case n % 2 when 0 then uuid '${mine}' else '${theirs}' end, 'person ' || n,
      '2026-01-01', nullif(n - 2, 0) from generate_series(2, 40, 2) as n;
    insert into people select n, '${theirs}', 'person ' || n, '2026-01-01', null from generate_series(1, 39, 2) as n;
    insert into shop.orders (tenant_id, person, total) select tenant_id, id, id * 1.5 from people order by id;
    insert into shop.notes select '${mine}', 'note ' || n % 3 from generate_series(1, 10) as n;
    insert into shop.outside values (1, 4);
    alter table people enable trigger stamp;`);
  wanted = await contents();
  snapshotId = (await take()).id;
});

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
      ...{ schemaStrategy: 'strict', again: false, preSnapshot: true, reason: 'a test', by: 'ada' },
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
  await change();
  const before = await contents();
  const outcome = await restore();
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
  // And back again.
  await restore({ source: { kind: 'stored', id: preSnapshotId ?? '' }, preSnapshot: false });
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
  const outcome = await restore({ source, tables: logged, pointInTime });
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
  // No log has what the restore did; up to the time before it, the snapshot is a base as good as before.
  const late = { ...pointInTime, to: new Date().toISOString() };
  expect(await restore({ source, tables: logged, pointInTime: late })).toMatchObject({
    state: 'failed',
    error: { code: 'InputInvalid', message: expect.stringContaining('which no log has') },
  });
  expect(await restore({ source, tables: logged, pointInTime })).toMatchObject({ state: 'completed' });
  expect(await leftovers()).toEqual(clean);
  await thaw.pg.query('drop function log_change cascade');
});
