import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CancelledFailure } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SnapshotClient } from '../../src/client/snapshot-client.ts';
import { toSnapshotRequest } from '../../src/client/snapshot-request.ts';
import { findDatabase } from '../../src/config/database-config.ts';
import type { CreateSnapshotRequest, SnapshotManifest, SnapshotTable } from '../../src/contract/snapshot.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { LoadProgress } from '../../src/load/load-progress.ts';
import { withDatabase } from '../../src/postgres/connect-database.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { manifestText, parseManifest } from '../../src/snapshot/container/manifest.ts';
import { listSnapshots, removeSnapshot } from '../../src/snapshot/container/stored-snapshots.ts';
import { takeSnapshot } from '../../src/snapshot/write/take-snapshot.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { ThawCommand } from '../cli/thaw-command.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { triggerNow } from '../harness/trigger-schedule.ts';
import { zooSql } from './zoo.ts';

let thaw: TestThaw;
let store: ObjectStore;
let snapshots: SnapshotClient;
let root: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  thaw = await createTestThaw('snapshot');
  store = openStore(thaw.config.store, {});
  snapshots = new SnapshotClient(thaw.client, thaw.temporal.taskQueue);
  root = await mkdtemp(path.join(tmpdir(), 'thaw-snapshot-'));
  await writeFile(path.join(root, 'config.yaml'), thaw.configText);
  env = { THAW_CONFIG: path.join(root, 'config.yaml'), USER: 'ada' };
  await thaw.pg.query(zooSql);
});

afterAll(async () => {
  store.close();
  await rm(root, { recursive: true });
  await thaw.close();
});

function request(changes: Partial<CreateSnapshotRequest> = {}): CreateSnapshotRequest {
  const input = {
    ...({ database: thaw.database.name, type: 'manual', by: 'ada', name: null, keep: null } as const),
    ...{ tables: [], schemas: ['shop'], tenant: null, readers: 3, partBytes: 100_000 },
  };
  const id = `s-${createHash('md5').update(`${Math.random()}`).digest('hex').slice(0, 12)}`;
  return { ...toSnapshotRequest(thaw.config, input, id, 5), ...changes };
}

function folderOf(id: string): string {
  return `archives/snapshots/${id}/`;
}

async function manifestOf(id: string): Promise<SnapshotManifest> {
  return parseManifest(await thaw.bucket.get(`${folderOf(id)}manifest.json`), id);
}

/** The rows of a table as they lie in the store, once sums and metadata of each part were compared. */
async function rowsOf(manifest: SnapshotManifest, table: string): Promise<Record<string, string | null>[]> {
  const found = tableOf(manifest, table);
  const rows: Record<string, string | null>[] = [];
  for (const { key, sha256, jsonlSha256, bytes, rows: count } of found.parts) {
    const file = await thaw.bucket.get(`${folderOf(manifest.id)}${key}`);
    const lines = gunzipSync(file);
    const sum = (of: Uint8Array) => createHash('sha256').update(of).digest('hex');
    expect([sum(file), sum(lines), file.length]).toEqual([sha256, jsonlSha256, bytes]);
    const read = lines
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(read).toHaveLength(count);
    rows.push(...read);
    const metadata = await thaw.bucket.get(
      `${folderOf(manifest.id)}${key.replace('.jsonl.gz', '.metadata.json')}`,
    );
    expect(JSON.parse(Buffer.from(metadata).toString())).toMatchObject({
      encoding: 'pg-text',
      batch_info: { database: thaw.database.name, schema: found.schema, table },
      data_info: { record_count: count },
      checksums: { jsonl_sha256: jsonlSha256, compressed_sha256: sha256 },
    });
  }
  return rows;
}

function tableOf({ tables }: SnapshotManifest, name: string): SnapshotTable {
  const found = tables.find(({ table }) => table === name);
  if (found === undefined) throw new Error(`${name} is not in the snapshot`);
  return found;
}

/** Writes the rows of a snapshot into a table of the same columns, each value by the input function of its type. */
async function bringBack(manifest: SnapshotManifest, table: string, into: string): Promise<void> {
  const { columns } = tableOf(manifest, table);
  for (const [name, value] of Object.entries(manifest.settings)) {
    const values = value.split(', ').map((one) => `'${one}'`);
    await thaw.pg.query(`set ${name} = ${values.join(', ')}`);
  }
  try {
    const defined = columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
    await thaw.pg.query(`create table ${into} (${defined.join(', ')})`);
    const places = columns.map((_, place) => `$${place + 1}`);
    for (const row of await rowsOf(manifest, table)) {
      expect(Object.keys(row)).toEqual(columns.map(({ name }) => name));
      await thaw.pg.query(`insert into ${into} values (${places.join(', ')})`, Object.values(row));
    }
  } finally {
    await thaw.pg.query('reset all');
  }
}

async function expectSame(one: string, other: string): Promise<void> {
  await thaw.pg.query('set extra_float_digits = 3');
  const lacks = (a: string, b: string) =>
    thaw.pg.query(`select a::text from ${a} as a except all select b::text from ${b} as b`);
  expect([(await lacks(one, other)).rows, (await lacks(other, one)).rows]).toEqual([[], []]);
}

test('tables come out of the store as they were at one moment, every type to the last bit', async () => {
  const asked = request();
  const before = ['parents', `"Zoo.of 'all'"`, 'days'];
  await thaw.pg.query('create schema before; create schema after');
  for (const table of before)
    await thaw.pg.query(`create table before.${table} as select * from only shop.${table}`);
  await thaw.pg.query('insert into before.days select * from shop.days');
  // Nothing reaches the store until everything has changed.
  let changing: Promise<unknown> | null = null;
  const change = () =>
    thaw.pg.query(`begin; delete from shop."Zoo.of 'all'"; update shop.parents set note = 'late';
      insert into shop.empty values (1); insert into shop.days values ('2026-05-05', 3); commit`);
  const gated = new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      if (name !== 'writeStream') return typeof member === 'function' ? member.bind(target) : member;
      return async (...args: Parameters<ObjectStore['writeStream']>) => {
        changing ??= change();
        await changing;
        await target.writeStream(...args);
      };
    },
  });
  const signal = new AbortController().signal;
  const database = findDatabase(thaw.config, thaw.database.name);
  const taken = await takeSnapshot({
    ...{ request: asked, place: { store: gated, prefix: 'archives' }, progress: new LoadProgress(), signal },
    withConnection: (applicationName, until, action) =>
      withDatabase(database, {}, { applicationName, signal: until }, action),
  });
  const manifest = await manifestOf(asked.id);
  expect(manifest).toEqual(taken);
  expect(manifest.tables.map(({ table, kind, key, rows }) => [table, kind, key, rows])).toEqual([
    [`Zoo.of 'all'`, 'table', ['id'], 3],
    ['child', 'table', null, 1],
    ['days', 'partitioned table', null, 2],
    ['empty', 'table', null, 0],
    ['parents', 'table', ['id'], 400],
  ]);
  expect(tableOf(manifest, 'parents').parts.length).toBeGreaterThan(3);
  expect(tableOf(manifest, 'empty').parts).toEqual([]);
  expect(tableOf(manifest, `Zoo.of 'all'`)).toMatchObject({
    columns: expect.arrayContaining([
      { name: 'id', type: 'bigint', notNull: true, default: null, identity: 'always', generated: null },
      expect.objectContaining({ name: 'twice', type: 'numeric', generated: 'stored' }),
      expect.objectContaining({ name: 'mark', type: 'shop.percent' }),
    ]),
    foreignKeys: [
      {
        definition: expect.stringContaining('REFERENCES shop.parents(id) DEFERRABLE INITIALLY DEFERRED'),
        ...{
          columns: ['parent'],
          referenced: { schema: 'shop', table: 'parents' },
          referencedColumns: ['id'],
        },
        ...{ deferrable: true, validated: true },
      },
    ],
  });
  for (const table of before) {
    await bringBack(manifest, table.replaceAll('"', ''), `after.${table}`);
    await expectSame(`before.${table}`, `after.${table}`);
  }
});

test('only rows of the tenant are taken, whatever its name is made of', async () => {
  const idsOf = async (value: string) => {
    const asked = request({ schemas: ['tenants'], tenant: { column: 'tenant', value } });
    const summary = await snapshots.take(asked);
    const manifest = await manifestOf(asked.id);
    expect([manifest.tenant, summary.tenant]).toEqual([asked.tenant, asked.tenant]);
    const ids = async (table: string) => (await rowsOf(manifest, table)).map(({ id }) => id);
    return [
      await ids('orders'),
      await ids('codes'),
      await ids('cut'),
      await ids('named'),
      await ids('letters'),
    ];
  };
  expect(await idsOf('a')).toEqual([['1'], ['1'], ['1'], ['1'], ['1']]);
  expect(await idsOf("a' or '1'='1")).toEqual([['3'], [], [], [], []]);
  // A cast to char(3) or varchar(40), a domain over one, name or "char" would cut the value down to another tenant's.
  expect(await idsOf(`abcd`)).toEqual([[], [], [], [], []]);
  expect(await idsOf('n'.repeat(64))).toEqual([[], [], [], [], []]);
  const without = request({ tenant: { column: 'tenant', value: 'a' } });
  await expect(snapshots.take(without)).rejects.toMatchObject({ code: 'SchemaIncompatible' });
  const wrong = request({
    ...{ schemas: [], tables: [{ schema: 'shop', table: 'parents' }] },
    tenant: { column: 'id', value: '1; drop table shop.parents' },
  });
  await expect(snapshots.take(wrong)).rejects.toMatchObject({ code: 'InputInvalid' });
  const missing = request({ tables: [{ schema: 'shop', table: 'nobody' }] });
  await expect(snapshots.take(missing)).rejects.toMatchObject({
    ...{ code: 'TargetMissing', message: expect.stringContaining('shop.nobody') },
  });
  for (const { id } of [without, wrong, missing]) expect(await thaw.bucket.keys(folderOf(id))).toEqual([]);
});

test('of one that is cancelled nothing is left, and one that is there is not replaced', async () => {
  const asked = request({ schemas: ['tenants'] });
  const other = await thaw.database.client();
  await other.query('begin; lock table tenants.orders in access exclusive mode');
  const taking = snapshots.take(asked);
  const failing = expect(taking).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
  const waits = `select count(*)::int as count from pg_locks where not granted and relation = 'tenants.orders'::regclass`;
  const waiting = async () => (await other.query<{ count: number }>(waits)).rows[0]?.count;
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  await thaw.bucket.put(`${folderOf(asked.id)}tenants.orders/part-0009.jsonl.gz`, 'left over');
  await snapshots.cancel(asked.id);
  await failing;
  await other.query('rollback');
  expect(await thaw.bucket.keys(folderOf(asked.id))).toEqual([]);
  await snapshots.take(asked);
  const written = await thaw.bucket.keys(folderOf(asked.id));
  await expect(snapshots.take(asked)).rejects.toMatchObject({ code: 'InputInvalid' });
  expect(await thaw.bucket.keys(folderOf(asked.id))).toEqual(written);
  expect(written).toHaveLength(11);
});

test('commands take, list, show, expire and delete snapshots', async () => {
  for (const { id } of (await listed()).snapshots) await removeSnapshot({ store, prefix: 'archives' }, id);
  const temporal = [
    ...['--temporal-address', thaw.temporal.address, '--namespace', thaw.temporal.namespace],
    ...['--task-queue', thaw.temporal.taskQueue],
  ];
  const create = (...args: string[]) => thawHere(['snapshot', 'create', '--json', ...args, ...temporal], env);
  const first = await create('--schema', 'tenants', '--keep', '30d', '--name', 'before the change');
  expect(first).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^Snapshot \d{8}-/) });
  const kept = JSON.parse(first.stdout);
  expect(kept).toMatchObject({ name: 'before the change', type: 'manual', createdBy: 'ada', totalRows: 13 });
  expect(Date.parse(kept.expiresAt) - Date.parse(kept.createdAt)).toBe(30 * 86_400_000);
  const second = JSON.parse(
    (await create('--table', 'tenants.orders', '--where', "tenant=a' or '1'='1")).stdout,
  );
  expect(second).toMatchObject({ totalRows: 1, expiresAt: null });
  expect((await listed()).snapshots.map(({ id }) => id)).toEqual([second.id, kept.id]);
  const shown = await thawHere(['snapshot', 'show', kept.id], env);
  expect(shown.stdout).toMatch(/tenants\.orders +5\n.*5 tables, 13 rows/s);
  // As if it had been taken with a shorter time to be kept.
  const manifest = await manifestOf(kept.id);
  const past = { ...manifest, expiresAt: '2026-01-01T00:00:00.000Z' };
  await thaw.bucket.put(`${folderOf(kept.id)}manifest.json`, manifestText(past));
  await thaw.bucket.put(`${folderOf('broken')}manifest.json`, '{}');
  const dry = await thawHere(['snapshot', 'expire', '--dry-run'], env);
  expect(dry).toMatchObject({ exitCode: 0, stdout: `${kept.id} has expired.\n` });
  expect(dry.stderr).toContain('broken');
  expect(await thawHere(['snapshot', 'expire'], env)).toMatchObject({ stdout: `Deleted ${kept.id}.\n` });
  expect(await thaw.bucket.keys(folderOf(kept.id))).toEqual([]);
  const unsure = await thawHere(['snapshot', 'delete', second.id], env);
  expect(unsure).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--yes') });
  expect((await listed()).snapshots).toHaveLength(1);
  expect(await thawHere(['snapshot', 'delete', second.id, '--yes'], env)).toMatchObject({ exitCode: 0 });
  expect((await listed()).snapshots).toEqual([]);
  expect((await thawHere(['snapshot', 'show', second.id], env)).exitCode).toBe(2);
  const nothing = await create();
  expect(nothing).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('InputInvalid') });
});

test('the same command given again goes on with its snapshot, and tells of one that it took unheard', async () => {
  const cluster = {
    ...{ ...env, THAW_STATE_DIR: path.join(root, 'state'), TEMPORAL_ADDRESS: thaw.temporal.address },
    ...{ TEMPORAL_NAMESPACE: thaw.temporal.namespace, THAW_TASK_QUEUE: thaw.temporal.taskQueue },
  };
  const args = ['snapshot', 'create', '--table', 'tenants.orders', '--json'];
  const memories = path.join(root, 'state', 'restores');
  const idOf = ({ stdout }: { readonly stdout: string }) => String(JSON.parse(stdout).id);
  const blocker = await thaw.database.client();
  const waiting = async () =>
    (await thaw.pg.query(`select from pg_locks where not granted and relation = 'tenants.orders'::regclass`))
      .rowCount;
  try {
    await blocker.query('begin; lock table tenants.orders in access exclusive mode');
    const killed = new ThawCommand(args, { ...process.env, ...cluster });
    await expect.poll(waiting, { timeout: 30_000 }).toBe(1);
    killed.kill('SIGKILL');
    await killed.ended();
    const [name = ''] = await readdir(memories);
    const memory = await readFile(path.join(memories, name), 'utf8');
    const again = thawHere(args, cluster);
    const other = thawHere([...args, '--name', 'another'], cluster);
    await expect.poll(waiting, { timeout: 30_000 }).toBe(2);
    await blocker.query('commit');
    const [joined, different] = [await again, await other];
    expect([joined.exitCode, joined.stderr]).toEqual([
      0,
      `Snapshot ${idOf(joined)}, begun before, goes on\n`,
    ]);
    expect(idOf(different)).not.toBe(idOf(joined));
    const ids = (await listed()).snapshots.map(({ id }) => id);
    expect(ids.toSorted()).toEqual([idOf(joined), idOf(different)].toSorted());
    // Their ends were told. As if that of the first had not been:
    expect(await readdir(memories)).toEqual([]);
    await writeFile(path.join(memories, name), memory);
    const third = await thawHere(args, cluster);
    expect(ids).not.toContain(idOf(third));
    expect(third.stderr).toContain(`took snapshot ${idOf(joined)} before, and could not say so`);
  } finally {
    await blocker.end();
  }
  for (const { id } of (await listed()).snapshots) await removeSnapshot({ store, prefix: 'archives' }, id);
});

test('a schedule takes automated ones, each under an id of its own, and deletes its own that have expired and nobody needs', async () => {
  const cluster = [
    ...['--temporal-address', thaw.temporal.address, '--namespace', thaw.temporal.namespace],
    ...['--task-queue', thaw.temporal.taskQueue],
  ];
  const name = `nightly ${thaw.database.name}`;
  const schedule = (...args: string[]) =>
    thawHere(['snapshot', 'create', '--schema', 'tenants', '--json', ...args, ...cluster], env);
  expect((await schedule('--cron', '0 2 * * *')).stdout).toContain('--name');
  const made = await schedule('--name', name, '--keep', '1s', '--cron', '0 2 * * *');
  expect(made.exitCode).toBe(0);
  const handle = thaw.client.schedule.getHandle(JSON.parse(made.stdout).schedule);
  const own = async () => {
    const { snapshots: all } = await listSnapshots({ store, prefix: 'archives' });
    return all.filter((snapshot) => snapshot.name === name);
  };
  await triggerNow(handle);
  await expect.poll(own).toHaveLength(1);
  const [first] = await own();
  expect(first).toMatchObject({ type: 'automated', id: expect.stringMatching(/^\d{8}-\d{6}-[0-9a-f]{6}$/) });
  await expect.poll(() => Date.now()).toBeGreaterThan(Date.parse(first?.expiresAt ?? ''));
  // Another one of the schedule has expired, and a restore reads it.
  const manifest = await manifestOf(first?.id ?? '');
  await thaw.bucket.put(`${folderOf('needed')}manifest.json`, manifestText({ ...manifest, id: 'needed' }));
  await ensureSchema(thaw.pg);
  await thaw.pg.query(`
    insert into thaw.snapshot_restores (restore_id, source_kind, source_place, source_id, request, state)
      values ('reader', 'stored', '', 'needed', '{}', 'running');
    insert into thaw.targets (target_oid, schema_name, table_name, restore_id, epoch, ordered, lease_until)
      values (1, 'public', 'held', 'reader', 1, false, now() + interval '1 minute')`);
  await triggerNow(handle);
  await expect.poll(async () => (await own()).map(({ id }) => id)).not.toContain(first?.id);
  expect((await own()).map(({ id }) => id === 'needed')).toEqual([false, true]);
  // Who shows no sign of life any more keeps nothing.
  const expire = async () => JSON.parse((await thawHere(['snapshot', 'expire', '--json'], env)).stdout);
  expect(await expire()).toMatchObject({ kept: [{ snapshotId: 'needed', restoreId: 'reader' }] });
  await thaw.pg.query("update thaw.targets set lease_until = now() where restore_id = 'reader'");
  expect(await expire()).toMatchObject({ deleted: expect.arrayContaining(['needed']), kept: [] });
  expect(JSON.parse((await schedule('--name', name, '--no-cron')).stdout)).toEqual({ removed: true });
  await expect(handle.describe()).rejects.toThrow();
});

test('what fails while it is written is no snapshot', async () => {
  const asked = request({ readers: 2, partBytes: 1000 });
  const failing = new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      if (name !== 'writeStream') return typeof member === 'function' ? member.bind(target) : member;
      return async (key: string, ...args: [AsyncIterable<Uint8Array>, string]) => {
        if (key.includes('part-0002')) throw new ThawError('StoreUnavailable', 'gone');
        await target.writeStream(key, ...args);
      };
    },
  });
  const database = findDatabase(thaw.config, thaw.database.name);
  const taking = takeSnapshot({
    ...{ request: asked, place: { store: failing, prefix: 'archives' }, progress: new LoadProgress() },
    signal: new AbortController().signal,
    withConnection: (applicationName, until, action) =>
      withDatabase(database, {}, { applicationName, signal: until }, action),
  });
  await expect(taking).rejects.toMatchObject({ code: 'StoreUnavailable', message: 'gone' });
  expect(await thaw.bucket.keys(`${folderOf(asked.id)}manifest.json`)).toEqual([]);
  // A later one of the same id is whole, and nothing of this one is in it.
  await snapshots.take({ ...asked, schemas: ['tenants'] });
  const keys = await thaw.bucket.keys(folderOf(asked.id));
  expect(keys.filter((key) => key.includes('shop.'))).toEqual([]);
});

async function listed(): Promise<{ readonly snapshots: readonly { readonly id: string }[] }> {
  return JSON.parse((await thawHere(['snapshot', 'list', '--json'], env)).stdout);
}
