import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningApi, startApi } from '../../src/api/server.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import { withManifest } from '../bundle/bundle-fixture.ts';
import { makeZip } from '../bundle/zip-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { testAuthorization, tokenEnv } from '../harness/token.ts';
import { type Answer, post, read } from './fake-restores.ts';

const describeYaml = `
tasks: { fields: { title: { type: text }, project: { type: uuid, relationship_type: owned, related_model: projects } } }
projects: { fields: { name: { type: text, required: true } } }
`;
const project = { id: '00000000-0000-0000-0000-00000000000a', name: 'Thaw' };
const task = { id: '00000000-0000-0000-0000-000000000001', title: 'first', project: project.id };

let thaw: TestThaw;
let api: RunningApi;
let zip: Buffer;

beforeAll(async () => {
  thaw = await createTestThaw('import');
  api = await startApi({
    config: thaw.config,
    env: { ...tokenEnv, THAW_DATABASE_URL: thaw.database.url },
    port: 0,
    temporal: openTemporal({ TEMPORAL_ADDRESS: thaw.temporal.address }),
    taskQueue: thaw.temporal.taskQueue,
    logger: pino({ level: 'silent' }),
  });
  zip = await makeZip({
    'describe.yaml': describeYaml,
    'tasks.jsonl': `${JSON.stringify(task)}\n`,
    'projects.jsonl': `${JSON.stringify(project)}\n`,
  });
});

afterAll(async () => {
  await api.close();
  await thaw.close();
});

const dev = { tenant: 'dev', namespace: 'dev', access: 'full', subject: 'ada' } as const;

async function ask(path: string, init: RequestInit = {}, token: Partial<NewToken> = dev): Promise<Response> {
  const headers = {
    ...Object.fromEntries(new Headers(init.headers)),
    authorization: await testAuthorization(token),
  };
  return fetch(`${api.url}${path}`, { ...init, headers });
}

/** As `curl -F file=@… -F name=value` sends it. */
async function sent(
  fields: Record<string, string>,
  token: Partial<NewToken> = dev,
  file = zip,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = new FormData();
  body.append('file', new Blob([Uint8Array.from(file)]), 'Dev-Data-2025-01-19.zip');
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return read(await ask('/api/restores/import', { method: 'POST', body, headers }, token));
}

async function completed(
  { status, json }: Answer,
  token: Partial<NewToken> = dev,
): Promise<Answer['json']['data']> {
  expect({ status, error: json.error }).toEqual({ status: 200 });
  const run = async () => (await read(await ask(String(json.data.status_url), {}, token))).json.data;
  await expect
    .poll(async () => (await run()).status, { timeout: 40_000 })
    .toMatch(/completed|failed|cancelled/);
  return run();
}

async function titles(schema: string): Promise<string[]> {
  const { rows } = await thaw.pg.query(`select title from ${schema}.tasks order by id`);
  return rows.map(({ title }) => title);
}

async function runs(): Promise<number> {
  return (await thaw.pg.query('select from thaw_api.restore_runs')).rows.length;
}

test('a bundle is imported in one step, and answered as documented', async () => {
  const answer = await sent({});
  expect(answer.json).toEqual({
    success: true,
    data: {
      run_id: expect.any(String),
      message: 'Restore queued for execution',
      status_url: `/api/data/restore_runs/${answer.json.data.run_id}`,
      filename: 'Dev-Data-2025-01-19.zip',
      size: zip.length,
      config: {
        conflict_strategy: 'upsert',
        include: ['describe', 'data'],
        models: null,
        create_models: true,
      },
    },
  });
  expect(await completed(answer)).toMatchObject({
    ...{ status: 'completed', progress: 100, records_imported: 2, models_created: 2, error: null },
  });
  expect(await titles('dev')).toEqual(['first']);
});

test('the fields of the form are those of the document, and others are refused', async () => {
  const fields = {
    conflict_strategy: 'sync',
    include: 'data',
    models: 'tasks, projects',
    create_models: 'false',
  };
  const answer = await sent(fields);
  expect(answer.json.data.config).toEqual({
    conflict_strategy: 'sync',
    include: ['data'],
    models: ['tasks', 'projects'],
    create_models: false,
  });
  expect(await completed(answer)).toMatchObject({ records_imported: 0, records_skipped: 2 });
  const before = await runs();
  for (const wrong of [
    { conflict_strategy: 'overwrite' },
    { include: 'rows' },
    { database: 'x' },
    { colour: 'red' },
    { dry_run: 'yes' },
  ]) {
    const { status, json } = await sent(wrong as Record<string, string>);
    expect({ wrong, status, code: json.error_code }).toEqual({
      wrong,
      status: 400,
      code: 'VALIDATION_ERROR',
    });
  }
  expect(await runs()).toBe(before);
});

test('an empty field of the form is its default, and only false is false; a form needs its file', async () => {
  const fields = { models: '', create_models: 'no', include: 'describe', validate_only: 'true' };
  const answer = await sent(fields);
  expect(answer.json.data.config).toEqual({
    conflict_strategy: 'upsert',
    include: ['describe'],
    models: null,
    create_models: true,
  });
  await completed(answer);
  const body = new FormData();
  body.append('conflict_strategy', 'upsert');
  expect(await read(await ask('/api/restores/import', { method: 'POST', body }))).toMatchObject({
    status: 400,
    json: { error_code: 'BAD_REQUEST' },
  });
});

test('a run tells its phases and percents while it goes on', async () => {
  await thaw.pg.query('create schema watched');
  const lockers = await Promise.all([thaw.database.client(), thaw.database.client()]);
  for (const [place, model] of ['a', 'b'].entries()) {
    await thaw.pg.query(`create table watched.${model} (id uuid primary key, name text)`);
    await lockers[place]?.query(`begin; lock table watched.${model} in share mode`);
  }
  const models = ['a', 'b', 'c'];
  const file = await makeZip({
    'describe.yaml': models.map((model) => `${model}: { fields: { name: { type: text } } }\n`).join(''),
    ...Object.fromEntries(models.map((model) => [`${model}.jsonl`, `${JSON.stringify(project)}\n`])),
  });
  const token = { ...dev, namespace: 'watched' };
  const answer = await sent({ conflict_strategy: 'skip' }, token, file);
  const run = async () => (await read(await ask(String(answer.json.data.status_url), {}, token))).json.data;
  await expect.poll(run, { timeout: 40_000 }).toMatchObject({
    status: 'running',
    progress: 25,
    progress_detail: { phase: 'imported_describe', models_created: 1, fields_created: 1 },
    completed_at: null,
  });
  await lockers[0]?.end();
  await expect.poll(run, { timeout: 40_000 }).toMatchObject({
    status: 'running',
    progress: 50,
    progress_detail: {
      ...{ phase: 'importing_data', files_total: 3, files_completed: 1 },
      ...{ current_model: 'a', records_imported: 1, records_skipped: 0 },
    },
    records_imported: 1,
  });
  const listed = async (status: string) => {
    const list = await ask(`/api/data/restore_runs?filter[where][status]=${status}`, {}, token);
    return (await read(list)).json.data as unknown as { id: string }[];
  };
  expect((await listed('running')).map(({ id }) => id)).toEqual([answer.json.data.run_id]);
  // Temporal has taken it.
  expect(await listed('pending')).toEqual([]);
  await lockers[1]?.end();
  expect(await completed(answer, token)).toMatchObject({
    ...{ status: 'completed', progress: 100, records_imported: 3, models_created: 1, fields_created: 1 },
    duration_seconds: expect.any(Number),
  });
});

test('a saved restore of a bundle has the documented defaults, and is mended as the document says', async () => {
  const token = { ...dev, namespace: 'mended' };
  const save = async (body: object) => read(await ask('/api/data/restores', post(body), token));
  expect(await save({ name: 'Production Restore' })).toMatchObject({
    status: 201,
    json: {
      data: {
        ...{ name: 'Production Restore', description: null, source_type: 'upload', source_ref: null },
        ...{ conflict_strategy: 'upsert', include: ['describe', 'data'], models: null },
        ...{ create_models: true, enabled: true },
      },
    },
  });
  const documented = {
    name: 'Production Restore',
    description: 'Restore production data after testing',
    source_type: 'upload',
    source_ref: '/tmp/restores/uploads/abc123.zip',
    conflict_strategy: 'upsert',
    include: ['describe', 'data'],
    models: ['users', 'orders'],
    create_models: true,
    enabled: true,
  };
  const saved = await save(documented);
  expect(saved).toMatchObject({ status: 201, json: { data: documented } });
  const path = `/api/data/restores/${saved.json.data.id}`;
  const change = async (body: object) =>
    expect((await ask(path, { ...post(body), method: 'PUT' }, token)).status).toBe(200);
  const run = async () =>
    read(await ask(`/api/restores/${saved.json.data.id}/run`, { method: 'POST' }, token));
  expect(await run()).toMatchObject({ status: 404, json: { error_code: 'RECORD_NOT_FOUND' } });

  const body = new FormData();
  body.append('file', new Blob([Uint8Array.from(zip)]), 'Dev-Data-2025-01-19.zip');
  const { json: upload } = await read(await ask('/api/uploads', { method: 'POST', body }, token));
  const source_ref = `/tmp/restores/uploads/${upload.data.id}.zip`;
  await change({ source_ref, models: ['projects'], create_models: false, enabled: false });
  expect(await run()).toMatchObject({ status: 409, json: { error_code: 'CONFLICT' } });
  await change({ enabled: true });
  expect(await completed(await run(), token)).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('Model projects does not exist'),
  });
  await change({ create_models: true });
  expect(await completed(await run(), token)).toMatchObject({
    ...{ status: 'completed', restore_id: saved.json.data.id, restore_name: 'Production Restore' },
    ...{ source_filename: 'Dev-Data-2025-01-19.zip', records_imported: 1, models_created: 1 },
  });
  await change({ conflict_strategy: 'error' });
  expect(await completed(await run(), token)).toMatchObject({ status: 'failed', records_imported: 0 });
  await change({ conflict_strategy: 'upsert' });
  expect(await completed(await run(), token)).toMatchObject({ status: 'completed', records_updated: 1 });
});

test('what is no bundle is 400 before there is a run, and another content type 415', async () => {
  const before = await runs();
  expect(await sent({}, dev, Buffer.from('no bundle'))).toMatchObject({
    status: 400,
    json: { error_code: 'BAD_REQUEST' },
  });
  const headers = { 'content-type': 'application/zip' };
  const raw = await ask('/api/restores/import', { method: 'POST', body: Uint8Array.from(zip), headers });
  expect(await read(raw)).toMatchObject({ status: 415, json: { error_code: 'UNSUPPORTED_MEDIA_TYPE' } });
  expect(await runs()).toBe(before);
});

test('replace needs full, wherever it is asked for', async () => {
  const edit = { ...dev, access: 'edit' } as const;
  const before = await runs();
  expect(await sent({ conflict_strategy: 'replace' }, edit)).toMatchObject({
    status: 403,
    json: { error_code: 'FORBIDDEN' },
  });
  const saved = {
    name: 'Fresh',
    source_type: 'upload',
    source_ref: 'a'.repeat(32),
    conflict_strategy: 'replace',
  };
  const { json } = await read(await ask('/api/data/restores', post(saved)));
  const run = await ask(`/api/restores/${json.data.id}/run`, { method: 'POST' }, edit);
  expect(run.status).toBe(403);
  expect(await runs()).toBe(before);
});

test('an Idempotency-Key goes with one file', async () => {
  const key = { 'idempotency-key': 'once' };
  const [first, second] = [await sent({}, dev, zip, key), await sent({}, dev, zip, key)];
  expect(second.json.data.run_id).toBe(first.json.data.run_id);
  expect(second.headers.get('idempotency-replayed')).toBe('true');
  const other = await makeZip({ 'describe.yaml': describeYaml });
  expect(await sent({}, dev, other, key)).toMatchObject({ status: 409, json: { error_code: 'CONFLICT' } });
  await completed(first);
});

test('extract, change, import with replace: everything is as it was', async () => {
  await thaw.pg.query(`update dev.tasks set title = 'it''s "mine" \\ ü'`);
  const saved = await read(await ask('/api/data/extracts', post({ name: 'My Dev Data', enabled: true })));
  const extracted = await read(await ask(`/api/extracts/${saved.json.data.id}/run`, { method: 'POST' }));
  const runId = String(extracted.json.data.run_id);
  await completed(extracted);
  const download = await ask(`/api/extracts/runs/${runId}/download`);
  const bundle = Buffer.from(await download.arrayBuffer());
  const before = (await thaw.pg.query('select row_to_json(t)::text as row from dev.tasks t')).rows;

  await thaw.pg.query('drop schema dev cascade; create schema dev');
  const fresh = await completed(await sent({ conflict_strategy: 'replace' }, dev, bundle));
  expect(fresh).toMatchObject({ status: 'completed', records_imported: 2, models_created: 2, error: null });
  expect((await thaw.pg.query('select row_to_json(t)::text as row from dev.tasks t')).rows).toEqual(before);
  const keys = await thaw.pg.query(
    `select pg_get_constraintdef(oid) as key from pg_constraint where conrelid = 'dev.tasks'::regclass and contype = 'f'`,
  );
  expect(keys.rows).toEqual([{ key: expect.stringContaining('REFERENCES dev.projects(id)') }]);

  // The same bundle by the id of the run, into the schema of a token of the same tenant.
  const parent = { ...dev, namespace: 'parent' };
  const body = { source_type: 'extract_run', source_ref: runId, conflict_strategy: 'sync' };
  const answer = await read(await ask('/api/restores', post(body), parent));
  expect(await completed({ ...answer, status: answer.status === 202 ? 200 : answer.status })).toMatchObject({
    status: 'completed',
    records_imported: 2,
  });
  expect(await titles('parent')).toEqual(['it\'s "mine" \\ ü']);
});

test('an import is taken back, models too, and counts neither as restored nor as installed then', async () => {
  const parent = { ...dev, namespace: 'taken_back' };
  const files = {
    'describe.yaml': describeYaml,
    'tasks.jsonl': `${JSON.stringify(task)}\n`,
    'projects.jsonl': `${JSON.stringify(project)}\n`,
  };
  const base = await makeZip(withManifest(files, { name: 'base', package_version: '1.2.0' }));
  const upload = new FormData();
  upload.append('file', new Blob([Uint8Array.from(base)]), 'base.zip');
  const { json } = await read(await ask('/api/uploads', { method: 'POST', body: upload }, parent));
  const settings = {
    ...{ name: 'base', source_type: 'upload', source_ref: json.data.id },
    options: { undoable: true, incremental: true },
  };
  const saved = await read(await ask('/api/data/restores', post(settings), parent));
  const install = async () => {
    const run = await ask(`/api/restores/${saved.json.data.id}/run`, { method: 'POST' }, parent);
    return completed(await read(run), parent);
  };
  const undo = async (id: unknown, token: Partial<NewToken> = parent) =>
    read(await ask(`/api/runs/${id}/undo`, post({ reason: 'not wanted' }), token));

  const first = await install();
  expect(first).toMatchObject({ status: 'completed', records_imported: 2, models_created: 2 });
  expect(await undo(first.id, { ...parent, access: 'read' })).toMatchObject({ status: 403 });
  expect(await undo(first.id, dev)).toMatchObject({ status: 403 });
  await thaw.pg.query("update taken_back.tasks set title = 'mine'");
  const part = await undo(first.id);
  expect(part.status).toBe(202);
  expect(await completed({ ...part, status: 200 }, parent)).toMatchObject({
    status: 'failed',
    records_deleted: 0,
  });
  const told = await read(await ask(`/api/runs/${part.json.data.run_id}`, {}, parent));
  expect(told.json.data.undo).toMatchObject({
    tables: [
      { target: 'taken_back.projects', left: [{ why: 'referenced', records: 1 }] },
      { target: 'taken_back.tasks', left: [{ why: 'changed', records: 1 }] },
    ],
    made: { models: 0, left: 3 },
  });

  await thaw.pg.query('delete from taken_back.tasks');
  expect(await completed({ ...(await undo(first.id)), status: 200 }, parent)).toMatchObject({
    ...{ status: 'completed', records_deleted: 1, error: null },
  });
  const { rows } = await thaw.pg.query("select to_regnamespace('taken_back') as found");
  expect(rows).toEqual([{ found: null }]);
  expect(await undo(first.id)).toMatchObject({ status: 409, json: { error: 'The run is undone already.' } });

  const needs = await makeZip(withManifest(files, { requires: { base: '^1.0.0' } }));
  expect(await completed(await sent({}, parent, needs), parent)).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('base'),
  });
  expect(await install()).toMatchObject({ status: 'completed', records_imported: 2, models_created: 2 });
  const plain = await completed(await sent({}, parent, needs), parent);
  expect(plain).toMatchObject({ status: 'completed', error: null });
  expect(await undo(plain.id)).toMatchObject({
    status: 409,
    json: { error: expect.stringContaining('"undoable": true') },
  });
});

test.each([
  ['/etc/passwd', undefined],
  ['http://example.org/x.zip', undefined],
  ['https://169.254.169.254/latest', undefined],
  ['https://user:pass@example.org/x.zip', undefined],
  ['https://example.org/x.zip', 'THAW JWT'],
])('the URL %j with the token %j is refused when it is saved', async (source_ref, token) => {
  const body = { name: 'x', source_type: 'url', source_ref, options: token === undefined ? {} : { token } };
  const { status, json } = await read(await ask('/api/data/restores', post(body)));
  expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
  expect(json.error).not.toContain('pass@');
});
