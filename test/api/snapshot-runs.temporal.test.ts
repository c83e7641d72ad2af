import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import { testAuthorization } from '../harness/token.ts';
import { recipe } from '../snapshot/replay/recipe.ts';
import { type ApiSite, createApiSite, runIn } from './api-site.ts';
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
  api = await site.listen({ env: { THAW_SNAPSHOT_RESTORES_PER_HOUR: '0' } });
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
    [{ samples: 1, to: 'yesterday' }, 400],
    [{ samples: 1, log: 'prices' }, 400],
    [{ samples: 1, to: '2026-01-01T00:00:00Z', log: 'other.log' }, 403],
    // There is no log.
    [{ samples: 1, to: '2026-01-01T00:00:00Z' }, 404],
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

/** Starts a restore of a snapshot. @returns the id of its run */
async function start(body: object, token: Partial<NewToken> = {}): Promise<string> {
  const whole = { source_type: 'snapshot', source_ref: snapshot, confirm: true, again: true, ...body };
  const { status, json } = await ask('/api/restores', post(whole), token);
  expect({ status, error: json.error }).toEqual({ status: 202 });
  return String(json.data.run_id);
}

/** Rows of both tables, of every tenant. */
async function rowsNow(): Promise<unknown> {
  const { rows } = await site.thaw.pg.query(
    'select (select array_agg(p order by id) from prices p)::text as prices, (select array_agg(l order by id) from lines l)::text as lines',
  );
  return rows[0];
}

async function changed(): Promise<void> {
  await site.thaw.pg.query(before);
  await site.thaw.pg.query(after);
}

test('a restore is a run: previewed, refused without being confirmed, observed, and all of it done', async () => {
  await changed();
  const path = '/api/restores';
  const body = { source_type: 'snapshot', source_ref: snapshot, reason: 'a wrong price' };
  const dry = await ask(path, post({ ...body, dry_run: true }));
  expect(dry).toMatchObject({
    status: 200,
    json: { data: { dry_run: true, tables: [{ inserted: 1, updated: 1, deleted: 1 }, { deleted: 1 }] } },
  });
  const refusals = [
    [{}, 400, 'confirm'],
    [{ confirm: false }, 400, 'confirm'],
    [{ confirm: true, conflict_strategy: 'upsert' }, 400, 'conflict_strategy'],
    [{ confirm: true, conflict_strategy: 'merge' }, 400, 'newer_by'],
    [{ confirm: true, newer_by: 'price' }, 400, 'newer_by'],
    [{ confirm: true, conflict_strategy: 'selective', selection: 'x' }, 400, 'selection'],
    [{ confirm: true, conflict_strategy: 'selective', selection: '0'.repeat(32) }, 404, 'selection'],
    [{ confirm: true, tables: ['other.prices'] }, 403, 'schema other'],
    [{ confirm: true, where: { column: 'tenant_id', value: 'globex' } }, 403, 'where'],
    [{ confirm: true, colour: 'red' }, 400, 'colour'],
    [{ confirm: true, reason: 'x'.repeat(501) }, 400, 'reason'],
    [{ confirm: true, source_ref: 'nothing' }, 404, 'nothing'],
  ] as const;
  for (const [change, status, told] of refusals) {
    const { status: given, json } = await ask(path, post({ ...body, ...change }));
    expect({ change, status: given, error: json.error }).toEqual({
      ...{ change, status, error: expect.stringContaining(told) },
    });
  }
  const edit = await ask(path, post({ ...body, confirm: true }), { access: 'edit' });
  expect(edit.status).toBe(403);
  expect((await ask(path, post({ ...body, confirm: true }), { tenant: 'globex' })).status).toBe(404);

  const others = "select * from prices where tenant_id = 'globex' order by id";
  const theirs = (await site.thaw.pg.query(others)).rows;
  const runId = await start({ reason: 'a wrong price', if_unchanged: dry.json.data.if_unchanged });
  const run = await runIn(api, runId, ['completed']);
  expect(run).toMatchObject({
    ...{ database: site.thaw.database.name, progress: 100, error: null },
    archives: { done: 2, total: 2 },
    counts: { records_inserted: 1, records_updated: 1, records_skipped: 3 },
    snapshot: {
      ...{ source: { kind: 'stored', ref: snapshot }, strategy: 'overwrite', step: null },
      tables: [
        { table: 'public.prices', inserted: 1, updated: 1, deleted: 1, unchanged: 1 },
        { table: 'public.lines', inserted: 0, updated: 0, deleted: 1, unchanged: 2 },
      ],
      steps: [{ table: 'public.prices', status: 'completed', progress_pct: 100 }, { table: 'public.lines' }],
      pre_snapshot_id: expect.any(String),
    },
  });
  const { rows } = await site.thaw.pg.query(
    "select id, price from prices where tenant_id = 'acme' order by id",
  );
  expect(rows).toEqual([
    { id: 1, price: '5' },
    { id: 2, price: '6' },
    { id: 3, price: '7' },
  ]);
  expect((await site.thaw.pg.query(others)).rows).toEqual(theirs);

  const record = await ask(`/api/data/restore_runs/${runId}`);
  expect(record.json.data).toMatchObject({
    ...{ source_type: 'snapshot', status: 'completed', records_imported: 1, records_updated: 1 },
    ...{ records_deleted: 2, records_skipped: 3 },
    progress_detail: { records_deleted: 2, steps: [{ status: 'completed' }, { status: 'completed' }] },
    config_snapshot: {
      ...{ source_ref: snapshot, conflict_strategy: 'overwrite' },
      options: { reason: 'a wrong price', where: { column: 'tenant_id', value: 'acme' } },
    },
  });
  const logs = await ask(`/api/data/restore_logs?filter[where][run_id]=${runId}`);
  const lines = (logs.json.data as unknown as { message: string }[]).map(({ message }) => message);
  expect(lines).toContain('Inserted 1 records, updated 1, deleted 1, left 1 unchanged');
  expect(lines.at(-1)).toBe('Restore completed successfully');
  const history = await ask(`/api/data/snapshot_restores?filter[where][restore_id]=${runId}`);
  expect(history.json.data).toMatchObject([
    {
      status: 'completed',
      rows_restored: 2,
      tenant_id: 'acme',
      initiated_by: 'tester',
      reason: 'a wrong price',
    },
  ]);
  // What was there is the tenant's own snapshot, too.
  const { pre_snapshot_id: kept } = run.snapshot as { readonly pre_snapshot_id: string };
  expect((await ask(`/api/snapshots/${kept}`)).json.data).toMatchObject({
    type: 'pre_restore',
    total_rows: 6,
  });
  // A snapshot that was restored is not taken for a fresh one.
  const again = await runIn(api, await start({ again: false }), ['failed']);
  expect(again).toMatchObject({ error: { code: 'InputInvalid' } });
});

test('no more restores begin for a tenant than it may begin in an hour', async () => {
  const strict = await site.listen({ env: { THAW_SNAPSHOT_RESTORES_PER_HOUR: '1' } });
  const authorization = await testAuthorization({ tenant: 'acme', access: 'full' });
  const body = { source_type: 'snapshot', source_ref: snapshot, again: true };
  const send = async (more: object) =>
    read(await fetch(`${strict.url}/api/restores`, post({ ...body, ...more }, { authorization })));
  const refused = await send({ confirm: true });
  expect(refused).toMatchObject({
    status: 429,
    json: { error_code: 'TOO_MANY_REQUESTS', data: { code: 'TooManyRestores' } },
  });
  expect(refused.headers.get('retry-after')).toBe('60');
  expect((await send({ dry_run: true })).status).toBe(200);
});

test('a saved restore runs, with what it may restore saved, and takes the newer or the marked rows', async () => {
  await changed();
  const saved = await ask(
    '/api/data/restores',
    post({ name: 'Prices', source_type: 'snapshot', source_ref: snapshot, options: { again: true } }),
  );
  const own = { column: 'tenant_id', value: 'acme' };
  expect(saved).toMatchObject({
    status: 201,
    json: { data: { conflict_strategy: 'overwrite', options: { again: true, where: own } } },
  });
  const { name: _, id, ...rest } = saved.json.data;
  const { source_type, source_ref, conflict_strategy, include, options } = rest;
  const back = { source_type, source_ref, conflict_strategy, include, options };
  const edited = await ask(`/api/data/restores/${id}`, { ...post(back), method: 'PATCH' });
  expect(edited.json.data.options).toEqual(options);
  const run = (body: object, token: Partial<NewToken> = {}) =>
    ask(`/api/restores/${id}/run`, post(body), token);
  expect((await run({ dry_run: true })).json.data).toMatchObject({
    dry_run: true,
    tables: [{ updated: 1 }, {}],
  });
  expect((await run({})).status).toBe(400);
  // Root runs what the tenant has saved: of its rows alone.
  const started = await run({ confirm: true }, { access: 'root' });
  expect(started.status).toBe(200);
  expect(await runIn(api, String(started.json.data.run_id), ['completed'])).toMatchObject({
    counts: { records_inserted: 1, records_updated: 1 },
  });
  const { rows } = await site.thaw.pg.query(
    "select price from prices where tenant_id = 'globex' order by id",
  );
  expect(rows).toEqual([{ price: '2' }, { price: '2' }]);

  await changed();
  const merge = {
    conflict_strategy: 'merge',
    newer_by: 'changed_at',
    tables: ['prices'],
    pre_snapshot: false,
  };
  const merged = await runIn(api, await start(merge, { access: 'edit' }), ['completed']);
  expect(merged.snapshot).toMatchObject({
    tables: [{ inserted: 1, updated: 0, deleted: 0, unchanged: 2 }],
    pre_snapshot_id: null,
  });

  await changed();
  const [header, ...lines] = await diff(snapshot);
  const marked = lines.map((line) => ({ ...line, take: line.kind === 'insert' }));
  const sent = await ask(`/api/snapshots/${snapshot}/selections`, {
    method: 'POST',
    body: [header, ...marked].map((line) => JSON.stringify(line)).join('\n'),
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const { selection } = sent.json.data;
  const selective = { conflict_strategy: 'selective', selection };
  const dry = await ask(
    '/api/restores',
    post({ source_type: 'snapshot', source_ref: snapshot, ...selective, dry_run: true }),
  );
  expect(dry.json.data.tables).toMatchObject([
    { table: 'public.prices', inserted: 1, updated: 0, deleted: 0 },
  ]);
  const taken = await runIn(api, await start(selective), ['completed']);
  expect(taken.snapshot).toMatchObject({
    tables: [{ table: 'public.prices', inserted: 1, updated: 0, deleted: 0 }],
  });
  const theirs = await ask(
    '/api/restores',
    post({ source_type: 'snapshot', source_ref: uuid, ...selective, confirm: true, tables: ['prices'] }),
    { tenant: 'globex' },
  );
  expect(theirs.status).toBe(404);
  const otherwise = await runIn(api, await start({ ...selective }), ['failed']);
  expect(otherwise).toMatchObject({ error: { code: 'ConflictFound' } });
});

test('a run waits where it is paused, and of one that is cancelled nothing is done', async () => {
  await changed();
  const now = await rowsNow();
  const blocker = await site.thaw.database.client();
  const waits = async () => {
    const { rows } = await site.thaw.pg.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length;
  };
  const held = () => expect.poll(waits, { timeout: 20_000, interval: 50 }).toBeGreaterThan(0);
  try {
    await blocker.query('begin; lock table public.prices in access exclusive mode');
    const runId = await start({ pre_snapshot: false });
    await held();
    const paused = await ask(`/api/runs/${runId}/pause`, post({ reason: 'lunch' }));
    expect(paused).toMatchObject({ status: 200, json: { data: { state: 'pausing' } } });
    await blocker.query('commit');
    expect(await runIn(api, runId, ['paused'])).toMatchObject({ reason: 'lunch' });
    expect(await rowsNow()).toEqual(now);
    await blocker.query('begin; lock table public.prices in row exclusive mode');
    expect((await ask(`/api/runs/${runId}/resume`, { method: 'POST' })).status).toBe(200);
    await held();
    expect((await runIn(api, runId, ['running'])).snapshot).toMatchObject({
      ...{ step: 'merge', steps: [{ table: 'public.prices' }, { table: 'public.lines' }] },
      locks: expect.arrayContaining([expect.objectContaining({ table: 'public.prices' })]),
    });
    expect(await ask(`/api/snapshots/${snapshot}`, { method: 'DELETE' })).toMatchObject({
      status: 409,
      json: { error_code: 'CONFLICT', error: expect.stringContaining(`needed by restore ${runId}`) },
    });
    expect((await ask(`/api/runs/${runId}/cancel`, post({ reason: 'not now' }))).status).toBe(200);
    expect(await runIn(api, runId, ['cancelled'])).toMatchObject({ snapshot: { tables: [] } });
    const events = await fetchAs(`/api/runs/${runId}/events`);
    const text = await events.text();
    expect(text).toContain('event: end');
    expect(text).toContain('"source_type":"snapshot"');
  } finally {
    await blocker.end();
  }
  expect(await rowsNow()).toEqual(now);
});

test('every schema strategy of the command is taken, and does the same', async () => {
  const { pg } = site.thaw;
  await pg.query(`create table public.tariffs (id int primary key, tenant_id text, price numeric, old text);
    insert into public.tariffs values (1, 'acme', 1.5, 'a'), (2, 'acme', 2.25, 'b'), (3, 'globex', 1, 'c')`);
  const source_ref = await take({ tables: ['tariffs'] });
  await pg.query(`alter table public.tariffs alter price type numeric(10, 0), drop old, add new text default 'fresh';
    delete from public.tariffs where id = 2; update public.tariffs set price = 7, new = 'kept'`);
  const tariffs = async () => (await pg.query('select t::text as row from tariffs t order by id')).rows;
  const now = await tariffs();
  const by = (schema_migration_strategy: string, ref = source_ref) =>
    start({ source_ref: ref, schema_migration_strategy, pre_snapshot: false });
  const changed = 'public.tariffs, column price: it was numeric and is numeric(10,0)';
  for (const strategy of ['none', 'lenient']) {
    expect(await runIn(api, await by(strategy), ['failed'])).toMatchObject({
      error: { code: 'SchemaIncompatible', message: expect.stringContaining(changed) },
    });
  }
  expect(await tariffs()).toEqual(now);
  expect(await runIn(api, await by('transform'), ['completed'])).toMatchObject({
    counts: { records_inserted: 1, records_updated: 1 },
    snapshot: {
      notices: expect.arrayContaining([
        `${changed}: values may be rounded, cut off or moved`,
        expect.stringContaining('column new: the snapshot does not have it'),
        'public.tariffs: the table has no column old; 2 values of the snapshot are left out.',
      ]),
    },
  });
  const converted = [{ row: '(1,acme,2,kept)' }, { row: '(2,acme,2,fresh)' }, { row: '(3,globex,7,kept)' }];
  expect(await tariffs()).toEqual(converted);
  const same = await take({ tables: ['tariffs'] });
  await pg.query("update tariffs set price = 9 where tenant_id = 'acme'");
  await runIn(api, await by('none', same), ['completed']);
  expect(await tariffs()).toEqual(converted);
});

test('a snapshot is brought forward to a time by the log of changes, and that is taken back', async () => {
  const { pg } = site.thaw;
  const root = { access: 'root' } as const;
  await pg.query('create schema metering; create table metering.meters (id int primary key, value numeric)');
  // Beside what this database has of the source system already.
  await pg.query('alter table backup_pitr_snapshots rename to theirs');
  await pg.query(recipe(['metering.meters']));
  await pg.query('insert into metering.meters values (1, 10), (2, 20)');
  const source_ref = await take({ tables: ['metering.meters'] }, root);
  await pg.query(
    'update metering.meters set value = 11 where id = 1; insert into metering.meters values (3, 30)',
  );
  const meters = async () =>
    (await pg.query<{ row: string }>('select m::text as row from metering.meters m order by id')).rows.map(
      ({ row }) => row,
    );
  const { rows } = await pg.query<{ at: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`,
  );
  const to = rows[0]?.at;
  await pg.query('delete from metering.meters where id = 2; update metering.meters set value = 0');
  const damaged = await meters();
  const body = { source_type: 'snapshot', source_ref, to };
  expect((await ask('/api/restores', post({ ...body, dry_run: true }), root)).json.data.tables).toMatchObject(
    [{ table: 'metering.meters', inserted: 1, updated: 2, deleted: 0 }],
  );
  expect(await meters()).toEqual(damaged);
  const runId = await start({ ...body, again: false }, root);
  expect(await runIn(api, runId, ['completed'])).toMatchObject({
    counts: { records_inserted: 1, records_updated: 2 },
    snapshot: {
      notices: [expect.stringContaining('2 changes of public.backup_transaction_logs'), expect.any(String)],
    },
  });
  expect(await meters()).toEqual(['(1,11)', '(2,20)', '(3,30)']);
  const undone = await ask(`/api/runs/${runId}/undo`, post({}), root);
  await runIn(api, String(undone.json.data.run_id), ['completed']);
  expect(await meters()).toEqual(damaged);
});

test('a run whose workflow is terminated has failed, and holds nothing back', async () => {
  await changed();
  const blocker = await site.thaw.database.client();
  const history = async () => {
    const { json } = await ask('/api/data/snapshot_restores?order=rollback_started_at desc&limit=1');
    return (json.data as unknown as { readonly status: string; readonly restore_id: string }[])[0];
  };
  try {
    await blocker.query('begin; lock table public.lines in row exclusive mode');
    const runId = await start({ pre_snapshot: false });
    const isMerging = async () => (await runIn(api, runId, ['running', 'planning', 'queued'])).snapshot;
    await expect.poll(isMerging, { timeout: 20_000 }).toMatchObject({ step: 'merge' });
    expect(await history()).toMatchObject({ restore_id: runId, status: 'in_progress' });
    await site.thaw.client.workflow.getHandle(`restore/${runId}`).terminate('by an operator');
    expect(await runIn(api, runId, ['failed'])).toMatchObject({
      error: { message: expect.stringContaining('ended before it could end the restore itself') },
    });
    expect(await history()).toMatchObject({ restore_id: runId, status: 'failed' });
  } finally {
    await blocker.end();
  }
  await runIn(api, await start({ pre_snapshot: false }), ['completed']);
});

test('a restore is taken back by a run of its own, but not over what others changed since', async () => {
  await changed();
  const rows = async () => {
    const { rows: found } = await site.thaw.pg.query<{ row: string }>(
      'select p::text as row from prices p union all select l::text from lines l order by 1',
    );
    return found.map(({ row }) => row);
  };
  const was = await rows();
  const runId = await start({ again: true });
  await runIn(api, runId, ['completed']);
  expect(await rows()).not.toEqual(was);
  const undo = (id: string, body: object = {}, token: Partial<NewToken> = {}) =>
    ask(`/api/runs/${id}/undo`, post(body), token);
  expect((await undo(runId, {}, { access: 'edit' })).status).toBe(403);
  expect((await undo(runId, {}, { tenant: 'globex' })).status).toBe(404);
  expect(await undo(runId, { disable_triggers: true })).toMatchObject({
    ...{ status: 400, json: { error: 'disable_triggers: is not known' } },
  });

  await site.thaw.pg.query("insert into lines values (13, 'acme', 1), (1001, 'globex', 100)");
  const refused = await undo(runId);
  expect(refused.status).toBe(202);
  expect(await runIn(api, String(refused.json.data.run_id), ['failed'])).toMatchObject({
    error: { code: 'ConflictFound', message: `Changed since restore ${runId}: public.lines.` },
  });
  // Rows of others are nothing to it.
  await site.thaw.pg.query('delete from lines where id = 13');
  const undone = await undo(runId, { reason: 'the wrong one' });
  const undoId = String(undone.json.data.run_id);
  expect(await runIn(api, undoId, ['completed'])).toMatchObject({
    ...{ error: null, snapshot: { strategy: 'overwrite', pre_snapshot_id: expect.any(String) } },
  });
  expect(await rows()).toEqual([...was, '(1001,globex,100)'].toSorted());
  expect(await undo(runId)).toMatchObject({ status: 409, json: { error: 'The run is undone already.' } });
  const record = await ask(`/api/data/restore_runs/${undoId}`);
  expect(record.json.data).toMatchObject({
    ...{ source_type: 'snapshot', config_snapshot: { undoes: runId, input: { reason: 'the wrong one' } } },
  });
});
