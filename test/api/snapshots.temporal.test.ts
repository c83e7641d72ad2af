import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import type { TenantPart } from '../../src/contract/snapshot.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { beginHistory } from '../../src/postgres/snapshot-history.ts';
import { testAuthorization } from '../harness/token.ts';
import { type ApiSite, createApiSite } from './api-site.ts';
import { type Answer, post, read } from './fake-restores.ts';

let site: ApiSite;
let api: RunningApi;

/** A tenant that would see everything, were its name not bound as a value. */
const hostile = "acme'or'1'='1";

const shop = `
  create table public.customers (id int primary key, tenant_id text not null, name text);
  create table public.orders (
    id int primary key, tenant_id text not null, customer int references public.customers (id), total numeric);
  insert into public.customers values (1, 'acme', 'Ada'), (2, 'globex', 'Bob'), (3, '${hostile.replaceAll("'", "''")}', 'Eve');
  insert into public.orders values (10, 'acme', 1, 5), (11, 'acme', 1, 6), (20, 'globex', 2, 7);
  create schema inner_office;
  create table inner_office.salaries (id int primary key, tenant_id text);
  create table public.secrets (id int primary key, whose text)`;

/** A request of somebody who may do everything in the tenant `acme`, unless a test says otherwise. */
async function ask(path: string, init: RequestInit = {}, token: Partial<NewToken> = {}): Promise<Answer> {
  const authorization = await testAuthorization({ tenant: 'acme', access: 'full', ...token });
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization };
  return read(await fetch(`${api.url}${path}`, { ...init, headers }));
}

/** Asks for a snapshot until it has been taken, or was not. */
async function taken(id: string, token: Partial<NewToken> = {}): Promise<Answer['json']['data']> {
  const detail = async () => (await ask(`/api/snapshots/${id}`, {}, token)).json.data;
  await expect
    .poll(async () => (await detail()).status, { timeout: 40_000, interval: 50 })
    .toMatch(/completed|failed|cancelled/);
  return detail();
}

async function take(body: object, token: Partial<NewToken> = {}): Promise<string> {
  const { status, json } = await ask('/api/snapshots', post(body), token);
  expect({ status, error: json.error }).toEqual({ status: 202 });
  return String(json.data.snapshot_id);
}

beforeAll(async () => {
  site = await createApiSite('snapshot_api');
  await site.thaw.pg.query(shop);
  api = await site.listen();
});

afterAll(() => site.close());

test("a tenant's snapshot holds its rows alone, and is told by its manifest", async () => {
  const key = { 'idempotency-key': 'nightly' };
  const body = { tables: ['orders', 'public.customers'], name: 'nightly', keep: '30d' };
  const first = await ask('/api/snapshots', post(body, key));
  expect(first).toMatchObject({ status: 202, json: { data: { message: 'Snapshot queued for execution' } } });
  const id = String(first.json.data.snapshot_id);
  expect(first.headers.get('location')).toBe(`/api/snapshots/${id}`);
  const again = await ask('/api/snapshots', post(body, key));
  expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([202, 'true']);
  expect(again.json.data.snapshot_id).toBe(id);
  expect(await ask('/api/snapshots', post({ ...body, name: 'other' }, key))).toMatchObject({
    status: 409,
    json: { error_code: 'CONFLICT' },
  });
  expect(await taken(id)).toMatchObject({
    ...{ id, name: 'nightly', type: 'manual', status: 'completed', database: site.thaw.database.name },
    ...{ where: { column: 'tenant_id', value: 'acme' }, created_by: 'tester', total_rows: 3, error: null },
    tables: ['public.customers', 'public.orders'],
    expires_at: expect.any(String),
    contents: [
      { table: 'customers', key: ['id'], rows: 1, foreign_keys: [] },
      {
        ...{ schema: 'public', table: 'orders', kind: 'table', rows: 2 },
        columns: expect.arrayContaining([{ name: 'total', type: 'numeric', not_null: false }]),
        foreign_keys: [{ name: 'orders_customer_fkey', definition: expect.stringContaining('customers') }],
        parts: [{ key: 'public.orders/part-0001.jsonl.gz', rows: 2, sha256: expect.any(String) }],
      },
    ],
  });

  const order = await ask(`/api/snapshots/${id}/order`);
  expect(order.json.data).toMatchObject({
    groups: [['public.customers'], ['public.orders']],
    foreign_keys: [{ name: 'orders_customer_fkey', table: 'public.orders', refers_to: 'public.customers' }],
    to_other_tables: [],
  });
  const part = await ask(`/api/snapshots/${id}/order?tables=orders`);
  expect(part.json.data).toMatchObject({
    groups: [['public.orders']],
    to_other_tables: [{ deferrable: false }],
  });
  expect((await ask(`/api/snapshots/${id}/order?tables=secrets`)).status).toBe(400);

  // Nobody else learns of it.
  const { total_rows: eves } = await taken(await take({ tables: ['customers'] }, { tenant: hostile }), {
    tenant: hostile,
  });
  expect(eves).toBe(1);
  for (const [path, method] of [
    [`/api/snapshots/${id}`, 'GET'],
    [`/api/snapshots/${id}`, 'DELETE'],
    [`/api/snapshots/${id}/order`, 'GET'],
    [`/api/snapshots/${id}/cancel`, 'POST'],
  ] as const) {
    const { status, json } = await ask(path, { method }, { tenant: 'globex' });
    expect({ path, method, status, code: json.error_code }).toEqual({
      ...{ path, method, status: 404, code: 'RECORD_NOT_FOUND' },
    });
  }
  expect((await ask('/api/snapshots', {}, { tenant: 'globex' })).json.data).toEqual([]);
});

test('nobody but root names rows or schemas of others', async () => {
  const other = { column: 'tenant_id', value: 'globex' };
  const refusals = [
    [{ tables: ['orders'], where: other }, 403],
    [{ tables: ['orders'], where: { column: 'whose', value: 'acme' } }, 403],
    [{ tables: ['inner_office.salaries'] }, 403],
    [{ schemas: ['inner_office'] }, 403],
    [{ tables: [{ schema: 'inner_office', table: 'salaries' }] }, 403],
    [{}, 400],
    [{ tables: [] }, 400],
    [{ tables: ['.'] }, 400],
    [{ tables: ['orders'], readers: 0 }, 400],
    [{ tables: ['orders'], keep: 'soon' }, 400],
    [{ tables: ['orders'], part_size: '0' }, 400],
    [{ tables: ['orders'], database: 'nowhere' }, 400],
    [{ tables: ['orders'], colour: 'red' }, 400],
  ] as const;
  for (const [body, expected] of refusals) {
    expect({ body, status: (await ask('/api/snapshots', post(body))).status }).toEqual({
      body,
      status: expected,
    });
  }
  expect((await ask('/api/snapshots', post({ tables: ['orders'] }), { access: 'read' })).status).toBe(403);
  // Of a table without the column nobody knows whose its rows are.
  expect(await taken(await take({ tables: ['secrets'] }))).toMatchObject({
    ...{ status: 'failed', tables: ['public.secrets'], total_rows: null, contents: [] },
    error: { code: 'SchemaIncompatible', message: expect.stringContaining('tenant_id') },
  });
  const root = { access: 'root' } as const;
  const whole = await taken(await take({ tables: ['orders'], where: other }, root), root);
  expect(whole).toMatchObject({ where: other, total_rows: 1 });
});

test('lists are paged, ordered and filtered, and a deleted one is gone', async () => {
  const root = { access: 'root' } as const;
  const all = await take({ tables: ['orders', 'inner_office.salaries'], name: 'all of it' }, root);
  expect(await taken(all, root)).toMatchObject({ where: null, total_rows: 3 });
  const list = async (query: string, token: Partial<NewToken> = root) => {
    const { status, json, headers } = await ask(`/api/snapshots?${query}`, {}, token);
    const data = json.data as unknown as { readonly id: string; readonly name: string }[];
    return { status, names: status === 200 ? data.map(({ name }) => name) : [], link: headers.get('link') };
  };
  expect(await list('filter[where][name][$like]=all%25')).toEqual({
    status: 200,
    names: ['all of it'],
    link: null,
  });
  expect((await list('filter[where][tables][$any]=inner_office.salaries')).names).toEqual(['all of it']);
  expect((await list('where={"total_rows":{"$gt":2},"expires_at":null}')).names).toEqual(['all of it']);
  const { names, link } = await list('order=total_rows desc, name&limit=1');
  expect([names, link]).toEqual([['all of it'], expect.stringContaining('rel="next"')]);
  expect((await list('order=created_at&limit=1')).names).toEqual(['nightly']);
  // Whole tables are more than a tenant may see.
  expect((await list('', { tenant: 'acme' })).names).toEqual(['nightly']);
  for (const wrong of ['where=x', 'order=colour', 'limit=0', 'filter[where][name][$regex]=(', 'colour=red']) {
    expect({ wrong, status: (await list(wrong)).status }).toEqual({ wrong, status: 400 });
  }

  const path = `/api/snapshots/${all}`;
  expect((await ask(path, { method: 'DELETE' }, { access: 'edit' })).status).toBe(403);
  expect((await ask(`${path}/cancel`, { method: 'POST' }, root)).status).toBe(409);
  expect(await ask(path, { method: 'DELETE' }, root)).toMatchObject({
    status: 200,
    json: { data: { id: all } },
  });
  expect((await ask(path, {}, root)).status).toBe(404);
  expect((await ask(path, { method: 'DELETE' }, root)).status).toBe(404);
  expect((await ask('/api/snapshots/Not%20an%20id')).status).toBe(404);
});

test('one that is being taken is seen, not deleted, and given up with nothing left', async () => {
  const blocker = await site.thaw.database.client();
  await blocker.query('begin; lock table public.orders in access exclusive mode');
  try {
    const id = await take({ tables: ['orders'], name: 'held' });
    const path = `/api/snapshots/${id}`;
    expect((await ask(path)).json.data).toMatchObject({
      name: 'held',
      contents: [],
      where: { value: 'acme' },
    });
    expect((await ask(path)).json.data.status).toMatch(/queued|running/);
    expect((await ask(path, {}, { tenant: 'globex' })).status).toBe(404);
    expect((await ask(path, { method: 'DELETE' })).status).toBe(409);
    expect((await ask(`${path}/cancel`, { method: 'POST' })).status).toBe(200);
    expect(await taken(id)).toMatchObject({ status: 'cancelled', error: null });
    expect((await ask(path, { method: 'DELETE' })).status).toBe(404);
  } finally {
    await blocker.end();
  }
});

test('the history of restores is listed as the database keeps it, to each tenant its own', async () => {
  expect((await ask('/api/data/snapshot_restores')).json.data).toEqual([]);
  const { pg, database } = site.thaw;
  await ensureSchema(pg);
  const begin = (restoreId: string, tenant: TenantPart | null) =>
    beginHistory(
      pg,
      {
        ...{ restoreId, by: 'ada', reason: 'a wrong price', currentStep: 'staging' },
        metadata: {
          ...{ database: database.name, source: { kind: 'stored', id: 's-1' }, strategy: 'merge', tenant },
        },
      },
      null,
    );
  await begin('r-1', { column: 'tenant_id', value: 'acme' });
  await begin('r-2', { column: 'tenant_id', value: 'globex' });
  await begin('r-3', { column: 'region', value: 'acme' });
  await begin('r-4', null);
  const list = async (query: string, token: Partial<NewToken> = {}) => {
    const { json } = await ask(`/api/data/snapshot_restores?${query}`, {}, token);
    return json.data as unknown as Record<string, unknown>[];
  };
  expect(await list('')).toMatchObject([
    {
      ...{
        restore_id: 'r-1',
        tenant_id: 'acme',
        snapshot_id: 's-1',
        strategy: 'merge',
        status: 'in_progress',
      },
      ...{ database: database.name, initiated_by: 'ada', reason: 'a wrong price', current_step: 'staging' },
      ...{
        rollback_started_at: expect.stringMatching(/Z$/),
        rollback_completed_at: null,
        restoration_steps: [],
      },
    },
  ]);
  const root = { access: 'root' } as const;
  const ids = async (query: string) => (await list(query, root)).map(({ restore_id }) => restore_id);
  expect(await ids('order=restore_id')).toEqual(['r-1', 'r-2', 'r-3', 'r-4']);
  expect(await ids(`database=${database.name}&filter[where][tenant_id]=acme&limit=1`)).toEqual(['r-3']);
  expect(await ids('filter[where][rollback_started_at][$lt]=2020-01-01')).toEqual([]);
  for (const wrong of ['database=nowhere', 'colour=red', 'where={"metadata":1}']) {
    expect((await ask(`/api/data/snapshot_restores?${wrong}`)).status).toBe(400);
  }
  await pg.query('delete from thaw.snapshot_history');
});
