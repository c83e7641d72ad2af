import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import { testAuthorization } from '../harness/token.ts';
import { type ApiSite, createApiSite } from './api-site.ts';
import { type Answer, post, read } from './fake-restores.ts';

let site: ApiSite;
let api: RunningApi;
/** A snapshot of the rows of `acme`. */
let snapshot: string;

const uuid = '0a4b1f3e-1111-4222-8333-444455556666';

const shop = `
  create table public.prices (id int primary key, tenant_id text not null, price numeric, changed_at timestamptz);
  create table public.lines (id int primary key, tenant_id text not null, price int references public.prices (id));
  create table public.backup_pitr_snapshots (
    id uuid primary key, tenant_id text not null, snapshot_name text not null, snapshot_type text not null,
    created_at timestamptz default now(), created_by text not null, expires_at timestamptz, snapshot_data jsonb not null,
    is_rolled_back boolean, rolled_back_at timestamptz, rolled_back_by text, rollback_notes text, status text,
    metadata jsonb);
  insert into public.backup_pitr_snapshots (id, tenant_id, snapshot_name, snapshot_type, created_by, status, snapshot_data)
    values ('${uuid}', 'globex', 'theirs', 'manual', 'bob', 'active', '{"prices": []}')`;

/** The rows as they are when the snapshot is taken. */
const before = `
  truncate public.prices, public.lines;
  insert into public.prices values (1, 'acme', 5, '2026-01-01'), (2, 'acme', 6, '2026-01-01'), (3, 'acme', 7, '2026-01-01'),
    (100, 'globex', 1, '2026-01-01');
  insert into public.lines values (10, 'acme', 1), (11, 'acme', 2), (1000, 'globex', 100)`;

/** What happens to them afterwards. */
const after = `
  update public.prices set price = price + 1, changed_at = '2026-02-01' where id in (1, 100);
  delete from public.prices where id = 3;
  insert into public.prices values (4, 'acme', 8, '2026-02-01'), (101, 'globex', 2, '2026-02-01');
  insert into public.lines values (12, 'acme', 4)`;

async function fetchAs(
  path: string,
  init: RequestInit = {},
  token: Partial<NewToken> = {},
): Promise<Response> {
  const authorization = await testAuthorization({ tenant: 'acme', access: 'full', ...token });
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization };
  return fetch(`${api.url}${path}`, { ...init, headers });
}

/** A request of somebody who may do everything in the tenant `acme`, unless a test says otherwise. */
async function ask(path: string, init: RequestInit = {}, token: Partial<NewToken> = {}): Promise<Answer> {
  return read(await fetchAs(path, init, token));
}

async function take(body: object, token: Partial<NewToken> = {}): Promise<string> {
  const { status, json } = await ask('/api/snapshots', post(body), token);
  expect({ status, error: json.error }).toEqual({ status: 202 });
  const id = String(json.data.snapshot_id);
  for (let status: unknown; status !== 'completed'; await sleep(50)) {
    ({ status } = (await ask(`/api/snapshots/${id}`, {}, token)).json.data);
    if (status === 'failed' || status === 'cancelled') throw new Error(`the snapshot is ${status}`);
  }
  return id;
}

/** The lines of a diff, the one about it first. */
async function diff(id: string, body: object = {}, token: Partial<NewToken> = {}) {
  const response = await fetchAs(`/api/snapshots/${id}/diff`, post(body), token);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  return (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Schemas and sessions of diffs and previews. */
async function leftovers(): Promise<unknown[]> {
  const { rows } = await site.thaw.pg.query(
    `select nspname as name from pg_namespace where starts_with(nspname, 'thaw_preview_')
     union all select application_name from pg_stat_activity
     where datname = current_database() and starts_with(application_name, 'thaw/preview/')`,
  );
  return rows;
}

beforeAll(async () => {
  site = await createApiSite('snapshot_runs');
  await site.thaw.pg.query(shop);
  await site.thaw.pg.query(before);
  api = await site.listen();
  snapshot = await take({ tables: ['prices', 'lines'], name: 'before' });
  await site.thaw.pg.query(after);
});

afterAll(() => site.close());

test("a diff has every difference of the tenant's rows, and a preview its counts", async () => {
  const [header, ...lines] = await diff(snapshot);
  expect(header).toMatchObject({
    ...{ source: { kind: 'stored', id: snapshot }, database: site.thaw.database.name },
    ...{ tenant: { column: 'tenant_id', value: 'acme' }, if_unchanged: expect.any(String) },
  });
  expect(lines.map(({ kind, table, key }) => `${kind} ${table} ${key.id}`).sort()).toEqual([
    ...['delete lines 12', 'delete prices 4', 'insert prices 3', 'update prices 1'],
  ]);
  expect(lines.find(({ kind }) => kind === 'update')).toMatchObject({
    ...{ take: false, before: { price: '6' }, after: { price: '5' } },
  });
  const one = await diff(snapshot, { tables: ['lines'] });
  expect(one.slice(1)).toMatchObject([{ kind: 'delete', key: { id: '12' } }]);

  const path = `/api/snapshots/${snapshot}/diff`;
  const preview = await ask(path, post({ samples: 1, values: true }));
  expect(preview).toMatchObject({
    status: 200,
    json: {
      data: {
        ...{ dry_run: true, database: site.thaw.database.name, if_unchanged: header.if_unchanged },
        tables: [
          {
            ...{ table: 'public.prices', inserted: 1, updated: 1, deleted: 1, unchanged: 1 },
            samples: expect.arrayContaining([
              {
                kind: 'delete',
                key: { id: '4' },
                before: expect.objectContaining({ price: '8' }),
                after: null,
              },
            ]),
          },
          { table: 'public.lines', inserted: 0, updated: 0, deleted: 1, unchanged: 2 },
        ],
        foreign_keys: [{ name: 'lines_price_fkey', table: 'public.lines', refers_to: 'public.prices' }],
        locks: expect.arrayContaining([expect.objectContaining({ table: 'public.prices' })]),
      },
    },
  });
  const merge = { conflict_strategy: 'merge', newer_by: 'changed_at', tables: ['prices'] };
  const asJson = {
    ...post(merge),
    headers: { accept: 'application/json', 'content-type': 'application/json' },
  };
  expect((await ask(path, asJson)).json.data.tables).toMatchObject([{ inserted: 1, updated: 0, deleted: 0 }]);

  const refusals = [
    [{ where: { column: 'tenant_id', value: 'globex' } }, 403],
    [{ tables: ['other.prices'] }, 403],
    [{ tables: ['nowhere'] }, 404],
    [{ conflict_strategy: 'selective' }, 400],
    [{ conflict_strategy: 'merge' }, 400],
    [{ newer_by: 'changed_at' }, 400],
    [{ samples: 101 }, 400],
    [{ colour: 'red' }, 400],
  ] as const;
  for (const [body, status] of refusals) {
    expect({ body, status: (await ask(path, post(body))).status }).toEqual({ body, status });
  }
  expect((await ask(path, post({}), { tenant: 'globex' })).status).toBe(404);
  expect((await ask(path, post({}), { access: 'read' })).status).toBe(403);
  await expect.poll(leftovers).toEqual([]);
});

test('rows of backup_pitr_snapshots and objects of another tenant are as if they were not there', async () => {
  const object = JSON.stringify({ prices: [{ id: 1, tenant_id: 'acme', price: 9, changed_at: null }] });
  await site.thaw.bucket.put('acme/job-1-backup.json', object);
  await site.thaw.bucket.put('globex/job-1-backup.json', object);
  const own = encodeURIComponent('acme/job-1-backup.json');
  const [, ...lines] = await diff(own, { tables: ['prices'] });
  expect(lines.map(({ kind, key }) => `${kind} ${key.id}`).sort()).toEqual([
    'delete 2',
    'delete 4',
    'update 1',
  ]);
  // Only opening it tells which tables it holds.
  expect((await ask(`/api/snapshots/${own}/diff`, post({}))).status).toBe(400);
  const foreign = [
    encodeURIComponent('globex/job-1-backup.json'),
    encodeURIComponent('x/acme/job-1-backup.json'),
    uuid,
  ];
  for (const id of foreign) {
    const { status, json } = await ask(`/api/snapshots/${id}/diff`, post({ tables: ['prices'] }));
    expect({ id, status, code: json.error_code }).toEqual({ id, status: 404, code: 'RECORD_NOT_FOUND' });
  }
  const theirs = await diff(uuid, { tables: ['prices'] }, { tenant: 'globex' });
  expect(theirs.slice(1)).toMatchObject([
    { kind: 'delete', key: { id: '100' } },
    { kind: 'delete', key: { id: '101' } },
  ]);
  expect((await diff(uuid, {}, { access: 'root' }))[0]).toMatchObject({
    source: { kind: 'table', id: uuid },
  });
});

test('a diff that nobody reads any more ends, and its stage is gone', async () => {
  await site.thaw.pg.query(`create table public.wide (id int primary key, tenant_id text, filler text);
    insert into public.wide select n, 'acme', repeat(md5(n::text), 60) from generate_series(1, 6000) n`);
  const wide = await take({ tables: ['wide'] });
  await site.thaw.pg.query("update public.wide set filler = filler || 'x'");
  const leaving = new AbortController();
  const response = await fetchAs(`/api/snapshots/${wide}/diff`, { ...post({}), signal: leaving.signal });
  const reader = response.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  expect(await leftovers()).not.toEqual([]);
  leaving.abort();
  await reader?.read().catch(() => {});
  await expect.poll(leftovers, { timeout: 20_000, interval: 50 }).toEqual([]);
});

test('a snapshot is validated, damaged or not', async () => {
  const path = `/api/snapshots/${snapshot}/validate`;
  expect((await ask(path, { method: 'POST' })).json.data).toMatchObject({
    ...{ valid: true, issues: [], complete: true },
    snapshot: { id: snapshot, status: 'active', affected_tables: ['public.lines', 'public.prices'] },
  });
  expect((await ask(path, post({ quick: true }))).json.data).toMatchObject({ valid: true, complete: false });
  const damaged = await take({ tables: ['prices'] });
  const folder = `archives/snapshots/${damaged}/public.prices/part-0001.jsonl.gz`;
  await site.thaw.bucket.put(folder, Buffer.from('no rows'));
  expect((await ask(`/api/snapshots/${damaged}/validate`, post({}))).json.data).toMatchObject({
    ...{ valid: false, issues: [{ code: expect.stringMatching(/Corrupt|Mismatch/), object: folder }] },
  });
  expect((await ask(path, post({}), { tenant: 'globex' })).status).toBe(404);
  expect((await ask('/api/snapshots/nothing/validate', post({}), { access: 'root' })).status).toBe(404);
  expect((await ask(path, post({ newer_by: 'price' }))).status).toBe(400);
  expect((await ask(path, post({}), { access: 'read' })).status).toBe(403);
});

test('what is marked of a diff is kept for a restore', async () => {
  const [header, ...lines] = await diff(snapshot);
  const marked = (mark: (line: { kind: string }) => boolean) =>
    [header, ...lines.map((line) => ({ ...line, take: mark(line) }))]
      .map((line) => JSON.stringify(line))
      .join('\n');
  const send = (id: string, body: string, type = 'application/x-ndjson') =>
    ask(`/api/snapshots/${id}/selections`, { method: 'POST', body, headers: { 'content-type': type } });
  expect(
    await send(
      snapshot,
      marked(({ kind }) => kind === 'update'),
    ),
  ).toMatchObject({
    status: 201,
    json: {
      data: {
        ...{ selection: expect.stringMatching(/^[0-9a-f]{32}$/), differences: 1, tables: ['public.prices'] },
        ...{ database: site.thaw.database.name, expires_at: expect.any(String) },
      },
    },
  });
  const { rows: kept } = await site.thaw.pg.query('select key from thaw_api.uploads');
  expect(kept).toHaveLength(1);
  expect(
    (
      await send(
        snapshot,
        marked(() => false),
      )
    ).status,
  ).toBe(400);
  expect((await send(snapshot, 'nothing of the kind')).status).toBe(400);
  expect(
    (
      await send(
        'another',
        marked(() => true),
      )
    ).status,
  ).toBe(400);
  expect(
    (
      await send(
        snapshot,
        marked(() => true),
        'text/plain',
      )
    ).status,
  ).toBe(415);
  // Of what was refused nothing is kept.
  expect((await site.thaw.pg.query('select key from thaw_api.uploads')).rows).toEqual(kept);
});
