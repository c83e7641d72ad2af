import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningApi, startApi } from '../../src/api/server.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import { openBundle } from '../../src/bundle/bundle.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import { extractWorkflowId } from '../../src/contract/names.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { bytesOf } from '../bundle/zip-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { testAuthorization, tokenEnv } from '../harness/token.ts';
import { recordsHistories, writeHistory } from '../workflows/history-file.ts';
import { type Answer, post, read } from './fake-restores.ts';

let thaw: TestThaw;
let api: RunningApi;

beforeAll(async () => {
  thaw = await createTestThaw('extracts');
  await thaw.pg.query(`
    create schema acme;
    create table acme.tasks (id uuid primary key, title text);
    insert into acme.tasks select gen_random_uuid(), 'task ' || n from generate_series(1, 1000) n;
    create table public.secrets (id uuid primary key, word text)`);
  api = await startApi({
    config: thaw.config,
    env: { ...tokenEnv, THAW_DATABASE_URL: thaw.database.url },
    port: 0,
    temporal: openTemporal({ TEMPORAL_ADDRESS: thaw.temporal.address }),
    taskQueue: thaw.temporal.taskQueue,
    logger: pino({ level: 'silent' }),
  });
});

afterAll(async () => {
  await api.close();
  await thaw.close();
});

const acme = { tenant: 'acme', namespace: 'acme', access: 'full', subject: 'ada' } as const;

async function ask(path: string, init: RequestInit = {}, token: Partial<NewToken> = acme): Promise<Response> {
  const authorization = await testAuthorization(token);
  return fetch(`${api.url}${path}`, {
    ...init,
    headers: { ...Object.fromEntries(new Headers(init.headers)), authorization },
  });
}

async function send(path: string, init: RequestInit = {}, token: Partial<NewToken> = acme): Promise<Answer> {
  return read(await ask(path, init, token));
}

async function saved(changes: object = {}): Promise<string> {
  const { status, json } = await send('/api/data/extracts', post({ name: 'My Dev Däta', ...changes }));
  expect({ status, error: json.error }).toEqual({ status: 201 });
  return String(json.data.id);
}

async function ended(runId: string): Promise<Answer['json']['data']> {
  const of = async () => (await send(`/api/data/extract_runs/${runId}`)).json.data;
  await expect
    .poll(async () => (await of()).status, { timeout: 40_000 })
    .toMatch(/completed|failed|cancelled/);
  return of();
}

/** Keeps the history of a run for replay.test.ts, when `scripts/record-histories.mjs` runs the test. */
async function keepHistory(name: string, runId: string): Promise<void> {
  if (!recordsHistories) return;
  const handle = thaw.client.workflow.getHandle(extractWorkflowId(runId));
  await handle.result().catch(() => {});
  writeHistory(name, handle.workflowId, await handle.fetchHistory());
}

test('an extract is saved, run once at a time, and its bundle downloaded until its time is over', async () => {
  const id = await saved();
  const first = await send(`/api/extracts/${id}/run`, post({}, { 'idempotency-key': 'once' }));
  expect(first).toMatchObject({ status: 200, json: { data: { message: 'Extract queued for execution' } } });
  const runId = String(first.json.data.run_id);
  const again = await send(`/api/extracts/${id}/run`, post({}, { 'idempotency-key': 'once' }));
  expect(again.json.data.run_id).toBe(runId);
  expect(again.headers.get('idempotency-replayed')).toBe('true');

  const run = await ended(runId);
  expect(run).toMatchObject({
    ...{ status: 'completed', progress: 100, extract_id: id, extract_name: 'My Dev Däta', error: null },
    ...{ records_exported: 1000, models_exported: 1, created_by: 'ada', download_count: 0 },
  });
  await keepHistory('extract-bundle', runId);
  const download = await ask(`/api/extracts/runs/${runId}/download`);
  expect(download.status).toBe(200);
  expect(download.headers.get('content-type')).toBe('application/zip');
  expect(download.headers.get('content-disposition')).toMatch(
    /^attachment; filename="My-Dev-D_ta-\d{4}-\d\d-\d\d-\w{6}\.zip"; filename\*=UTF-8''My-Dev-D%C3%A4ta-/,
  );
  const bytes = Buffer.from(await download.arrayBuffer());
  expect(bytes.length).toBe(run.size);
  const bundle = await openBundle(bytesOf(bytes));
  expect(bundle.files.map(({ model, records }) => ({ model, records }))).toEqual([
    { model: 'tasks', records: 1000 },
  ]);
  expect((await bundle.readDescription())?.models.map(({ name }) => name)).toEqual(['tasks']);
  expect((await ended(runId)).download_count).toBe(1);
  expect((await send(`/api/data/extracts/${id}`)).json.data).toMatchObject({
    total_runs: 1,
    last_run_id: runId,
  });

  await thaw.pg.query('delete from acme.tasks where id in (select id from acme.tasks limit 300)');
  const source = { source_type: 'extract_run', source_ref: runId };
  const restored = await send('/api/restores', post(source));
  expect(restored.status).toBe(202);
  const restoredStatus = async () =>
    (await send(`/api/data/restore_runs/${restored.json.data.run_id}`)).json.data.status;
  await expect.poll(restoredStatus, { timeout: 40_000 }).toBe('completed');
  expect((await thaw.pg.query('select from acme.tasks')).rowCount).toBe(1000);
  expect(await send('/api/restores', post(source), { ...acme, tenant: 'other' })).toMatchObject({
    status: 404,
  });

  const control = new ControlDatabase(thaw.database.url);
  await control.use((client) =>
    client.query("update thaw_api.extract_runs set expires_at = now() - interval '1 s'"),
  );
  await control.close();
  expect(await send(`/api/extracts/runs/${runId}/download`)).toMatchObject({
    status: 410,
    json: { error_code: 'GONE' },
  });
  expect(await send('/api/restores', post(source))).toMatchObject({
    status: 410,
    json: { error_code: 'GONE' },
  });
});

test('a run that cannot be done fails with its reason, and has no bundle', async () => {
  const id = await saved({ models: ['nothing'] });
  const { json } = await send(`/api/extracts/${id}/run`, post({}));
  const run = await ended(String(json.data.run_id));
  expect(run).toMatchObject({ status: 'failed', error: 'acme: there is no model nothing' });
  expect(run.error_detail).toContain('TargetMissing');
  await keepHistory('extract-bundle-with-error', String(run.id));
  expect(await send(`/api/extracts/runs/${run.id}/download`)).toMatchObject({ status: 409 });
  expect((await thaw.bucket.keys()).filter((key) => key.includes(String(run.id)))).toEqual([]);
});

test('one run at a time; a cancelled one ends so; disabled and deleted ones do not run', async () => {
  const id = await saved();
  const lock = await thaw.database.client();
  await lock.query('begin; lock table acme.tasks in access exclusive mode');
  const starts = await Promise.all([1, 2, 3].map(() => send(`/api/extracts/${id}/run`, post({}))));
  expect(starts.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  const runId = String(starts.find(({ status }) => status === 200)?.json.data.run_id);
  expect(await send(`/api/data/extracts/${id}`, { method: 'DELETE' })).toMatchObject({ status: 409 });
  expect((await send(`/api/extracts/${id}/cancel`, post({}))).json.data.run_id).toBe(runId);
  expect(await ended(runId)).toMatchObject({ status: 'cancelled' });
  await keepHistory('extract-bundle-cancelled', runId);
  await lock.end();
  expect(await send(`/api/extracts/${id}/cancel`, post({}))).toMatchObject({ status: 404 });

  const disabled = await send(`/api/data/extracts/${id}`, { ...post({ enabled: false }), method: 'PUT' });
  expect(disabled.json.data).toMatchObject({ enabled: false, name: 'My Dev Däta' });
  expect(await send(`/api/extracts/${id}/run`, post({}))).toMatchObject({ status: 409 });
  expect(await send(`/api/data/extracts/${id}`, { method: 'DELETE' })).toMatchObject({ status: 200 });
  expect(await send(`/api/extracts/${id}/run`, post({}))).toMatchObject({ status: 404 });
  expect((await send('/api/data/extracts?filter[where][name]=My Dev Däta')).json.data).not.toContainEqual(
    expect.objectContaining({ id }),
  );
  expect(await send(`/api/data/extract_runs/${runId}`)).toMatchObject({ status: 200 });
});

test('a tenant sees and reads nothing of another', async () => {
  const id = await saved();
  const { json } = await send(`/api/extracts/${id}/run`, post({}));
  const runId = String(json.data.run_id);
  await ended(runId);
  const other = { tenant: 'other', namespace: 'other', access: 'full' } as const;
  const requests: [string, RequestInit][] = [
    [`/api/data/extracts/${id}`, {}],
    [`/api/data/extracts/${id}`, { ...post({ name: 'mine' }), method: 'PUT' }],
    [`/api/data/extracts/${id}`, { ...post({ name: 'mine' }), method: 'PATCH' }],
    [`/api/data/extracts/${id}`, { method: 'DELETE' }],
    [`/api/extracts/${id}/run`, post({})],
    [`/api/extracts/${id}/cancel`, post({})],
    [`/api/data/extract_runs/${runId}`, {}],
    [`/api/extracts/runs/${runId}/download`, {}],
  ];
  for (const [path, init] of requests) expect(await send(path, init, other)).toMatchObject({ status: 404 });
  for (const list of ['/api/data/extracts', '/api/data/extract_runs']) {
    expect((await send(list, {}, other)).json.data).toEqual([]);
    expect((await send(list, {}, { access: 'root' })).json.data).not.toEqual([]);
  }
  const foreign = { name: 'x', options: { namespace: 'public' } };
  expect(await send('/api/data/extracts', post(foreign))).toMatchObject({ status: 403 });
  expect(await send('/api/data/extracts', post(foreign), { access: 'root' })).toMatchObject({ status: 201 });
  // Somebody of the tenant whose token is for another schema.
  const sibling = { ...acme, namespace: 'elsewhere' };
  expect(await send(`/api/extracts/${id}/run`, post({}), sibling)).toMatchObject({ status: 403 });
});

test.each([
  [{}, 'name: is required'],
  [{ name: 'x', include: ['nothing'] }, 'include'],
  [{ name: 'x', models: 'tasks' }, 'models: must be a list of names'],
  [{ name: 'x', options: { database: 'nowhere' } }, 'options.database'],
  [{ name: 'x', options: { namespace: 'pg_catalog' } }, 'options.namespace'],
  [{ name: 'x', format: 'csv' }, 'format: is not known'],
])('%j is refused', async (body, message) => {
  const { status, json } = await send('/api/data/extracts', post(body));
  expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
  expect(json.error).toContain(message);
});
