import { ServiceError } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BundleRequest } from '../../src/contract/run-request.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { readRun } from '../../src/control/runs.ts';
import { insertUpload } from '../../src/control/uploads.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { sayingAuthenticator, someone } from './callers.ts';
import {
  type Answer,
  fakeRestores,
  post,
  read,
  type TestDependencies,
  testApp,
  testParts,
} from './fake-restores.ts';

let database: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  database = await createTestDatabase('starter');
  control = new ControlDatabase(database.url);
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

const options = { database: 'production_db', table: 'audit_logs' };
const archives = { name: 'Nightly', source_type: 'archives', options };

async function send(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  dependencies: TestDependencies = {},
): Promise<Answer> {
  const app = testApp({ control, authenticator: sayingAuthenticator, ...dependencies });
  return read(await app.request(path, post(body, { authorization: someone, ...headers })));
}

async function save(body: object, authorization = someone): Promise<string> {
  const { status, json } = await send('/api/data/restores', body, { authorization });
  expect({ status, error: json.error }).toEqual({ status: 201 });
  return String(json.data.id);
}

test('root runs what a tenant has saved in the schema of that tenant', async () => {
  const key = 'uploads/x.zip';
  const id = 'a'.repeat(32);
  await control.use((client) =>
    insertUpload(
      client,
      { id, tenant: 'acme', filename: 'x.zip', bytes: 1, sha256: '00', key, created_by: 'ada' },
      60,
    ),
  );
  const bundle = { name: 'Bundle', source_type: 'upload', source_ref: id, models: ['users'] };
  const restoreId = await save(bundle, 'Bearer acme:full:acme_schema');
  const run = `/api/restores/${restoreId}/run`;
  const restores = fakeRestores();
  expect(
    (await send(run, {}, { authorization: 'Bearer other:full:other_schema' }, { restores })).status,
  ).toBe(404);
  const started = await send(run, {}, { authorization: 'Bearer ops:root:ops_schema' }, { restores });
  expect(started.status).toBe(200);
  expect(restores.started as unknown as BundleRequest[]).toMatchObject([
    {
      restoreId: started.json.data.run_id,
      tenant: 'acme',
      namespace: 'acme_schema',
      database: 'production_db',
      source: { kind: 'stored', key, filename: 'x.zip' },
      conflictStrategy: 'upsert',
      include: ['describe', 'data'],
      models: ['users'],
      createModels: true,
      dryRun: false,
    },
  ]);
});

test('a dry run of archives is told at once, and nothing is started', async () => {
  const restores = fakeRestores();
  const id = await save(archives);
  const { status, json } = await send(`/api/restores/${id}/run`, { dry_run: true }, {}, { restores });
  expect(status).toBe(200);
  expect(json.data).toMatchObject({ dry_run: true, database: 'production_db' });
  expect(await send(`/api/restores/${id}/run`, { validate_only: true }, {}, { restores })).toMatchObject({
    status: 400,
    json: { error_code: 'VALIDATION_ERROR', error: 'options.validate_only: is not known' },
  });
  expect(restores.started).toEqual([]);
});

test('a run that Temporal cannot take is pending, and started once it can', async () => {
  const cause = Object.assign(new Error('rpc'), { code: 14, details: 'rpc', metadata: {} });
  const away = fakeRestores({
    startRun: async () => Promise.reject(new ServiceError('Failed to start Workflow', { cause })),
  });
  const id = await save(archives);
  const { status, json } = await send(`/api/restores/${id}/run`, {}, {}, { restores: away });
  expect(status).toBe(200);
  const runId = String(json.data.run_id);
  const stored = () => control.use((client) => readRun(client, runId, 'a'));
  expect(await stored()).toMatchObject({ status: 'pending', state: 'queued', restoreId: id });
  expect(await send(`/api/restores/${id}/run`, {}, {}, { restores: away })).toMatchObject({ status: 409 });

  const back = fakeRestores();
  const { reconciler } = testParts({ control, restores: back });
  expect(await reconciler.pass(0)).toBe(0);
  expect(back.started.map(({ restoreId }) => restoreId)).toContain(runId);
  expect(await stored()).toMatchObject({ status: 'queued', state: 'queued', startedAt: null });
});

test('a key goes with the same request only', async () => {
  const id = await save({ ...archives, name: 'Keyed' });
  const key = { 'idempotency-key': 'one' };
  const first = await send(`/api/restores/${id}/run`, {}, key);
  expect(first.status).toBe(200);
  expect((await send(`/api/restores/${id}/run`, {}, key)).json.data.run_id).toBe(first.json.data.run_id);
  const otherwise = await send(`/api/restores/${id}/run`, { validate_only: false }, key);
  expect(otherwise).toMatchObject({ status: 409, json: { data: { run_id: first.json.data.run_id } } });
  const once = await send('/api/restores', { ...options, source_type: 'archives' }, key);
  expect(once).toMatchObject({ status: 409, json: { data: { run_id: first.json.data.run_id } } });
});
