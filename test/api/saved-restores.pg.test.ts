import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { sayingAuthenticator, someone } from './callers.ts';
import { type Answer, read, testApp } from './fake-restores.ts';

let database: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  database = await createTestDatabase('saved');
  control = new ControlDatabase(database.url);
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

const collection = '/api/data/restores';
const archives = {
  name: 'Nightly',
  source_type: 'archives',
  options: { database: 'production_db', table: 'audit_logs', lanes: 2 },
};

async function send(method: string, path: string, body?: unknown, authorization = someone): Promise<Answer> {
  const app = testApp({ control, authenticator: sayingAuthenticator });
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  return read(
    await app.request(path, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...init,
    }),
  );
}

async function saved(changes: object = {}, authorization = someone): Promise<string> {
  const { status, json } = await send('POST', collection, { ...archives, ...changes }, authorization);
  expect({ status, error: json.error }).toEqual({ status: 201 });
  return String(json.data.id);
}

async function activeRun(restoreId: string, id: string): Promise<void> {
  await control.use((client) =>
    client.query(
      `insert into thaw_api.restore_runs (id, tenant, restore_id, source_type, status, state, config_snapshot, request, created_by)
       values ($1, 'a', $2, 'archives', 'running', 'running', '{}', '{}', 'somebody')`,
      [id, restoreId],
    ),
  );
}

test('a restore is saved with the defaults of the document and of its source', async () => {
  const { status, json, headers } = await send('POST', collection, archives);
  expect(status).toBe(201);
  expect(json).toEqual({
    success: true,
    data: {
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'Nightly',
      description: null,
      source_type: 'archives',
      source_ref: null,
      conflict_strategy: 'skip',
      include: ['data'],
      models: null,
      create_models: false,
      enabled: true,
      options: { database: 'production_db', table: 'audit_logs', lanes: 2 },
      last_run_id: null,
      last_run_at: null,
      total_runs: 0,
      successful_runs: 0,
      failed_runs: 0,
      created_by: 'a-user',
      created_at: expect.stringMatching(/^2\d{3}-.*Z$/),
      updated_at: expect.any(String),
      trashed_at: null,
    },
  });
  expect(headers.get('location')).toBe(`${collection}/${json.data.id}`);
  expect((await send('GET', `${collection}/${json.data.id}`)).json).toEqual(json);
});

test('several are saved together: all of them or none', async () => {
  const { status, json } = await send('POST', collection, [archives, { ...archives, name: 'Second' }]);
  expect(status).toBe(201);
  expect(json.data).toMatchObject([{ name: 'Nightly' }, { name: 'Second' }]);
  const before = (await send('GET', `${collection}?limit=1000`)).json.data.length;
  const bad = await send('POST', collection, [archives, { ...archives, conflict_strategy: 'sync' }]);
  expect(bad).toMatchObject({ status: 400, json: { error_code: 'VALIDATION_ERROR' } });
  expect((await send('GET', `${collection}?limit=1000`)).json.data.length).toBe(before);
});

test.each([
  [{ name: undefined }, 'name: is required'],
  [{ name: '' }, 'name: must not be empty'],
  [{ name: 'a\0' }, 'the body: must not hold NUL'],
  [
    { options: { ...archives.options, table: '\ud800' } },
    'the body: must not hold NUL or half of a character',
  ],
  [{ source_type: 'floppy' }, 'source_type: must be one of upload, extract_run, url, archives'],
  [{ conflict_strategy: 'sync' }, 'conflict_strategy: must be skip, overwrite, fail or upsert (got "sync")'],
  [{ source_ref: '/etc/passwd' }, 'source_ref: must be null for archives'],
  [{ models: ['users'] }, 'models: must be null for archives'],
  [{ include: ['describe'] }, 'include: must be ["data"] for archives'],
  [{ create_models: true }, 'create_models: must be false for archives'],
  [
    { options: { ...archives.options, lanes: 0 } },
    'options.lanes: must be a whole number from 1 to 64 (got 0)',
  ],
  [{ options: { database: 'other', restore_all: true } }, '"other"'],
  [{ options: { ...archives.options, dry_run: true } }, 'options.dry_run: does not belong here'],
  [
    { options: { ...archives.options, conflict_strategy: 'skip' } },
    'conflict_strategy: does not belong here',
  ],
  [{ options: [] }, 'options: must be an object'],
  [{ enabled: 'yes' }, 'enabled: must be true or false'],
  [{ total_runs: 5 }, 'total_runs: is not known'],
])('%j is refused', async (changes, message) => {
  const { status, json } = await send('POST', collection, { ...archives, ...changes });
  expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
  expect(json.error).toContain(message);
});

test.each(['PUT', 'PATCH'])('%s takes a part of the fields, and checks the whole', async (method) => {
  const id = await saved({ description: 'first' });
  const path = `${collection}/${id}`;
  const { status, json } = await send(method, path, { enabled: false, conflict_strategy: 'overwrite' });
  expect(status).toBe(200);
  expect(json.data).toMatchObject({
    id,
    name: 'Nightly',
    description: 'first',
    enabled: false,
    conflict_strategy: 'overwrite',
    options: archives.options,
  });
  expect(json.data.updated_at).not.toBe(json.data.created_at);
  const bad = await send(method, path, { conflict_strategy: 'merge', name: 'Other' });
  expect(bad).toMatchObject({ status: 400, json: { error_code: 'VALIDATION_ERROR' } });
  expect((await send('GET', path)).json.data).toMatchObject({
    name: 'Nightly',
    conflict_strategy: 'overwrite',
  });
  const cleared = await send(method, path, { description: null });
  expect(cleared.json.data.description).toBeNull();
});

test('a deleted restore is gone, and shown where it is asked for', async () => {
  const id = await saved({ name: 'To be deleted' });
  const { status, json } = await send('DELETE', `${collection}/${id}`);
  expect({ status, id: json.data.id }).toEqual({ status: 200, id });
  expect(json.data.trashed_at).toEqual(expect.any(String));
  for (const [method, body] of [['GET'], ['PUT', {}], ['PATCH', {}], ['DELETE']] as const) {
    const answer = await send(method, `${collection}/${id}`, body);
    expect(answer).toMatchObject({ status: 404, json: { error_code: 'RECORD_NOT_FOUND' } });
  }
  const where = encodeURIComponent(JSON.stringify({ id }));
  expect((await send('GET', `${collection}?where=${where}`)).json.data).toEqual([]);
  expect((await send('GET', `${collection}?where=${where}&include_trashed=true`)).json.data).toMatchObject([
    { id },
  ]);
});

test('a restore is not deleted while a run of it is active', async () => {
  const id = await saved();
  await activeRun(id, 'active-1');
  const refused = await send('DELETE', `${collection}/${id}`);
  expect(refused).toMatchObject({
    status: 409,
    json: { error_code: 'CONFLICT', data: { run_id: 'active-1' } },
  });
  await control.use((client) =>
    client.query(`update thaw_api.restore_runs set status = 'completed' where id = 'active-1'`),
  );
  expect((await send('DELETE', `${collection}/${id}`)).status).toBe(200);
  const { rows } = await control.use((client) =>
    client.query(`select from thaw_api.restore_runs where restore_id = $1`, [id]),
  );
  expect(rows).toHaveLength(1);
});

test('a list is filtered in both spellings, ordered, and read by pages', async () => {
  const tenant = 'Bearer lists:full';
  for (const name of ['c', 'a', 'b']) await saved({ name, enabled: name !== 'b' }, tenant);
  const names = async (query: string) => {
    const { status, json } = await send('GET', `${collection}?${query}`, undefined, tenant);
    expect({ status, error: json.error }).toEqual({ status: 200 });
    return (json.data as unknown as { name: string }[]).map(({ name }) => name).join('');
  };
  expect(await names('')).toBe('bac');
  expect(await names('order=name')).toBe('abc');
  expect(await names('filter[order]=enabled asc, name desc')).toBe('bca');
  expect(await names('filter[where][enabled]=true&order=name')).toBe('ac');
  expect(await names('filter[where][enabled]=true&filter[where][name]=a')).toBe('a');
  expect(await names('filter[where][name][$in]=a,b&order=name desc')).toBe('ba');
  expect(await names(`where=${encodeURIComponent('{"name":{"$gte":"b"}}')}&order=name`)).toBe('bc');
  expect(await names('where[name]=c')).toBe('c');
  expect(await names('order=name&limit=2&offset=1')).toBe('bc');

  const first = await send('GET', `${collection}?order=name&limit=2`, undefined, tenant);
  const [, next = ''] = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? [];
  const second = await send('GET', next, undefined, tenant);
  expect(second.json.data).toMatchObject([{ name: 'c' }]);
  expect(second.headers.get('link')).toBeNull();
});

test.each([
  'where={',
  'where=[]',
  'filter[where][nothing]=1',
  'filter[colour]=red',
  'limit=0',
  'limit=1001',
  'limit=1&limit=2',
  'offset=-1',
  'order=name sideways',
  'order=nothing',
  'include_trashed=maybe',
  'colour=red',
])('a list refuses %s', async (query) => {
  const { status, json } = await send('GET', `${collection}?${query}`);
  expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
});

test('a tenant neither sees nor touches what another has; root does', async () => {
  const id = await saved({}, 'Bearer mine:full');
  const path = `${collection}/${id}`;
  for (const [method, body] of [
    ['GET'],
    ['PUT', { name: 'x' }],
    ['PATCH', { name: 'x' }],
    ['DELETE'],
  ] as const) {
    expect((await send(method, path, body, 'Bearer theirs:full')).status).toBe(404);
  }
  expect((await send('GET', collection, undefined, 'Bearer theirs:full')).json.data).toEqual([]);
  expect((await send('GET', path, undefined, 'Bearer theirs:root')).json.data).toMatchObject({
    name: 'Nightly',
  });
});

test.each(['restore_123', randomUUID(), '%00', "'; drop table x"])('there is no restore %s', async (id) => {
  const answer = await send('GET', `${collection}/${encodeURIComponent(id)}`);
  expect(answer).toMatchObject({ status: 404, json: { error_code: 'RECORD_NOT_FOUND' } });
});

test('without the control database it is 503, and nothing else is said', async () => {
  const answer = await read(
    await testApp({ authenticator: sayingAuthenticator }).request(collection, {
      headers: { authorization: someone },
    }),
  );
  expect(answer).toMatchObject({
    status: 503,
    json: { error_code: 'SERVICE_UNAVAILABLE', data: { code: 'DatabaseUnavailable' } },
  });
});
