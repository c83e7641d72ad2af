import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { anybody, fakeRestores, post, read, type TestDependencies, testApp } from './fake-restores.ts';

const body = { database: 'production_db', table: 'audit_logs', restore_all: true };

let database: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  database = await createTestDatabase('restores');
  control = new ControlDatabase(database.url);
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

async function send(init: RequestInit, dependencies: TestDependencies = {}) {
  return read(await testApp({ control, ...dependencies }).request('/api/restores', init));
}

describe('POST /api/restores', () => {
  it('starts a restore and tells where its status is', async () => {
    const restores = fakeRestores();
    const { status, json, headers } = await send(
      post({ ...body, conflict_strategy: 'overwrite', lanes: 2 }),
      { restores },
    );
    expect(status).toBe(202);
    const [request] = restores.started;
    expect(json).toEqual({
      success: true,
      data: {
        run_id: request?.restoreId,
        message: 'Restore queued for execution',
        status_url: `/api/data/restore_runs/${request?.restoreId}`,
      },
    });
    expect(headers.get('location')).toBe(`/api/data/restore_runs/${request?.restoreId}`);
    expect(request).toMatchObject({
      database: 'production_db',
      tables: [{ table: 'audit_logs', schema: 'public', intoSchema: 'public', intoTable: 'audit_logs' }],
      keys: null,
      options: { conflictStrategy: 'overwrite', lanes: 2 },
    });
  });

  it('takes a charset along with the content type', async () => {
    const { status } = await send(post(body, { 'content-type': 'application/json; charset=utf-8' }));
    expect(status).toBe(202);
  });

  it('restores all archives of the tables that are named, unless archives are', async () => {
    const restores = fakeRestores();
    const key = 'archives/production_db/audit_logs/a_20260104T052021Z_batch_001.jsonl.gz';
    await send(post({ database: 'production_db', tables: ['audit_logs'] }), { restores });
    await send(post({ database: 'production_db', table: 'audit_logs', s3_key: key }), { restores });
    expect(restores.started.map(({ keys }) => keys)).toEqual([null, [key]]);
    const { status, json } = await send(post({ database: 'production_db' }), { restores });
    expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
  });

  it('tells of a dry run what it would load, and starts nothing', async () => {
    const restores = fakeRestores();
    const archive = { bytes: 10, etag: 'e', modifiedAt: '2026-01-04T05:20:21Z', storageClass: null };
    const archives = Array.from({ length: 12 }, (_, place) => ({ ...archive, key: `a${place}` }));
    const { status, json } = await send(post({ ...body, dry_run: true }, { 'idempotency-key': 'k' }), {
      restores,
      preview: async ({ tables }) =>
        (tables ?? []).map((table) => ({
          table,
          archives,
          earlier: 3,
          totals: { rows: 500, uncompressedBytes: 700, unknown: 1 },
          outcome: null,
          notices: ['It is large.'],
        })),
    });
    expect(status).toBe(200);
    expect(json.data).toEqual({
      dry_run: true,
      database: 'production_db',
      tables: [
        {
          table: 'audit_logs',
          into_schema: 'public',
          into_table: 'audit_logs',
          archives: 12,
          bytes: 120,
          rows: 500,
          uncompressed_bytes: 700,
          archives_without_metadata: 1,
          archives_restored_earlier: 3,
          keys: ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9'],
          outcome: null,
          notices: ['It is large.'],
        },
      ],
    });
    expect(restores.started).toEqual([]);
  });

  it('starts two restores without a key', async () => {
    const restores = fakeRestores();
    await send(post(body), { restores });
    await send(post(body), { restores });
    expect(new Set(restores.started.map(({ restoreId }) => restoreId)).size).toBe(2);
  });

  it.each([
    [
      'no content type',
      { method: 'POST', body: new TextEncoder().encode('{}') },
      400,
      'MISSING_CONTENT_TYPE',
    ],
    [
      'a form',
      post('a=1', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['text', post('{}', { 'content-type': 'text/plain' }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['half an object', post('{"database":'), 400, 'JSON_PARSE_ERROR'],
    ['nothing', post(''), 400, 'JSON_PARSE_ERROR'],
    ['a list', post([]), 400, 'VALIDATION_ERROR'],
    ['null', post('null'), 400, 'VALIDATION_ERROR'],
    ['an unknown database', post({ ...body, database: 'other' }), 400, 'VALIDATION_ERROR'],
    ['neither all nor a key', post({ ...body, restore_all: false }), 400, 'VALIDATION_ERROR'],
  ])('refuses %s', async (_, init, status, code) => {
    const restores = fakeRestores();
    const answer = await send(init, { restores });
    expect(answer).toMatchObject({ status, json: { success: false, error_code: code } });
    expect(restores.started).toEqual([]);
  });

  it('names every field that is wrong', async () => {
    const { status, json } = await send(post({ ...body, lanes: 0, colour: 'red' }));
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error_code: 'VALIDATION_ERROR',
      data: {
        code: 'InputInvalid',
        hint: expect.any(String),
        validation_errors: expect.arrayContaining([
          { field: 'lanes', message: 'must be a whole number from 1 to 64 (got 0)' },
          { field: 'colour', message: 'is not known' },
        ]),
      },
    });
  });

  it('refuses a body over 1 MiB, announced or not', async () => {
    const large = JSON.stringify({ ...body, s3_key: 'x'.repeat(1024 * 1024) });
    const announced = await send(post(large, { 'content-length': String(large.length) }));
    expect(announced).toMatchObject({ status: 413, json: { error_code: 'BODY_TOO_LARGE' } });
    // What else is sent on it is the rest of the body.
    expect(announced.headers.get('connection')).toBe('close');
    const streamed = await send(post(large));
    expect(streamed).toMatchObject({ status: 413, json: { error_code: 'BODY_TOO_LARGE' } });
  });
});

describe('Idempotency-Key', () => {
  const keyed = (key: string, changes: object = {}) =>
    post({ ...body, ...changes }, { 'idempotency-key': key });

  it('gives the same run again', async () => {
    const restores = fakeRestores();
    const first = await send(keyed('nightly 2026-01-04'), { restores });
    const second = await send(keyed('nightly 2026-01-04'), { restores });
    expect(first.status).toBe(202);
    expect(second.status).toBe(202);
    expect(second.json.data.run_id).toBe(first.json.data.run_id);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(restores.started).toHaveLength(1);
    expect(restores.started[0]?.restoreId).toMatch(/^[a-z0-9-]{1,32}$/);
  });

  it('takes the order of fields and what is the default anyway for the same request', async () => {
    const restores = fakeRestores();
    await send(keyed('order'), { restores });
    const { status } = await send(
      post(
        `{ "conflict_strategy": "skip", "restore_all": true, "table": "audit_logs", "database": "production_db" }`,
        { 'idempotency-key': 'order' },
      ),
      { restores },
    );
    expect(status).toBe(202);
    expect(restores.started).toHaveLength(1);
  });

  it('refuses another request with the same key', async () => {
    const restores = fakeRestores();
    const first = await send(keyed('other'), { restores });
    const second = await send(keyed('other', { conflict_strategy: 'overwrite' }), { restores });
    expect(second).toMatchObject({
      status: 409,
      json: { error_code: 'CONFLICT', data: { run_id: first.json.data.run_id } },
    });
    expect(restores.started).toHaveLength(1);
  });

  it('keeps keys of two callers apart', async () => {
    const restores = fakeRestores();
    await send(keyed('two'), { restores });
    const other = await anybody.authenticate(undefined);
    for (const changes of [{ subject: 'somebody else' }, { tenant: 'another' }]) {
      const authenticator = { authenticate: async () => ({ ...other, ...changes }) };
      await send(keyed('two'), { restores, authenticator });
    }
    expect(restores.started).toHaveLength(3);
  });

  it.each([[''], ['x'.repeat(256)], ['schlüssel']])('refuses the key %j', async (key) => {
    const { status, json } = await send(keyed(key));
    expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
  });
});
