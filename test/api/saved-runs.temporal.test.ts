import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import { makeZip } from '../bundle/zip-writer.ts';
import { expectEqualTable, expectedCsv } from '../harness/fixture.ts';
import { testAuthorization } from '../harness/token.ts';
import { type ApiSite, createApiSite, runIn, save, send, table } from './api-site.ts';
import { post } from './fake-restores.ts';

let site: ApiSite;
let api: RunningApi;
let other: RunningApi;

beforeAll(async () => {
  site = await createApiSite('saved_runs');
});

beforeEach(async () => {
  await site.thaw.pg.query(`truncate ${table}`);
  api = await site.listen();
  other = await site.listen();
});

afterEach(async () => {
  await site.reset();
});

afterAll(async () => {
  await site.close();
});

async function run(id: string): Promise<string> {
  const { status, json } = await send(api, `/api/restores/${id}/run`, { method: 'POST' });
  expect({ status, error: json.error }).toEqual({ status: 200 });
  return String(json.data.run_id);
}

test('a saved restore runs to its end, is counted, and tells its log', async () => {
  const id = await save(site, api);
  const answer = await send(api, `/api/restores/${id}/run`, { method: 'POST' });
  const runId = String(answer.json.data.run_id);
  expect(answer).toMatchObject({
    status: 200,
    json: {
      success: true,
      data: {
        run_id: expect.stringMatching(/^[a-z0-9-]{1,32}$/),
        message: 'Restore queued for execution',
        status_url: `/api/data/restore_runs/${runId}`,
      },
    },
  });
  await runIn(api, runId, ['completed']);
  await expectEqualTable(site.thaw.pg, table, expectedCsv('audit-logs', table));

  const record = await send(other, `/api/data/restore_runs/${runId}`);
  expect(record.json.data).toMatchObject({
    id: runId,
    restore_id: id,
    restore_name: 'Nightly',
    source_type: 'archives',
    status: 'completed',
    progress: 100,
    progress_detail: { phase: 'importing_data', files_total: 9, files_completed: 9, records_imported: 2500 },
    records_imported: 2500,
    error: null,
    config_snapshot: { source_type: 'archives', conflict_strategy: 'skip', options: { table: 'audit_logs' } },
  });
  const saved = await send(other, `/api/data/restores/${id}`);
  expect(saved.json.data).toMatchObject({
    last_run_id: runId,
    last_run_at: expect.any(String),
    total_runs: 1,
    successful_runs: 1,
    failed_runs: 0,
  });
  const logs = await send(other, `/api/data/restore_logs?filter[where][run_id]=${runId}`);
  expect(logs.json.data).toMatchObject([
    {
      id: expect.stringMatching(/^\d+$/),
      run_id: runId,
      level: 'info',
      phase: 'data_import',
      model_name: table,
      record_id: null,
      message: 'Imported 2500 records, skipped 0, updated 0',
    },
    { level: 'info', message: 'Restore completed successfully' },
  ]);
  const runs = await send(other, `/api/data/restore_runs?where={"restore_id":"${id}"}`);
  expect(runs.json.data).toMatchObject([{ id: runId, status: 'completed' }]);
});

test('of runs that are asked for in the same millisecond one begins; another while it goes on is 409', async () => {
  await site.holdTable();
  const id = await save(site, api);
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, place) =>
      send(place % 2 === 0 ? api : other, `/api/restores/${id}/run`, { method: 'POST' }),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)]);
  const runId = String(answers.find(({ status }) => status === 200)?.json.data.run_id);
  for (const { status, json } of answers) {
    if (status === 409) expect(json).toMatchObject({ error_code: 'CONFLICT', data: { run_id: runId } });
  }
  expect((await send(api, `/api/data/restores/${id}`)).json.data.total_runs).toBe(1);
  const deleted = await send(api, `/api/data/restores/${id}`, { method: 'DELETE' });
  expect(deleted).toMatchObject({ status: 409, json: { error_code: 'CONFLICT' } });

  const cancelled = await send(other, `/api/restores/${id}/cancel`, { method: 'POST' });
  expect(cancelled).toMatchObject({
    status: 200,
    json: { success: true, data: { message: 'Restore cancelled', run_id: runId } },
  });
  await runIn(api, runId, ['cancelled']);
  expect((await send(api, `/api/data/restore_runs/${runId}`)).json.data).toMatchObject({
    status: 'cancelled',
    records_imported: 0,
    completed_at: expect.any(String),
  });
  const logs = await send(
    api,
    `/api/data/restore_logs?filter[where][run_id]=${runId}&filter[where][level]=warn`,
  );
  expect(logs.json.data).toMatchObject([
    { message: 'Cancel asked for by user' },
    { message: 'Restore cancelled by user' },
  ]);
  const again = await send(api, `/api/restores/${id}/cancel`, { method: 'POST' });
  expect(again).toMatchObject({
    status: 404,
    json: { error_code: 'RECORD_NOT_FOUND', error: 'No running restore found' },
  });

  await site.releaseTable();
  await runIn(api, await run(id), ['completed']);
  expect((await send(api, `/api/data/restores/${id}`)).json.data).toMatchObject({
    total_runs: 2,
    successful_runs: 1,
    failed_runs: 0,
  });
});

test('the active run of a saved restore is paused and resumed', async () => {
  await site.holdTable();
  const id = await save(site, api);
  const runId = await run(id);
  await runIn(api, runId, ['running']);
  const paused = await send(other, `/api/restores/${id}/pause`, post({ reason: 'lunch', now: true }));
  expect(paused).toMatchObject({ status: 200, json: { data: { message: 'Restore paused', run_id: runId } } });
  expect(await runIn(api, runId, ['paused'])).toMatchObject({ reason: 'lunch' });
  await site.releaseTable();
  const resumed = await send(other, `/api/restores/${id}/resume`, { method: 'POST' });
  expect(resumed.status).toBe(200);
  await runIn(api, runId, ['completed']);
  await expectEqualTable(site.thaw.pg, table, expectedCsv('audit-logs', table));
  const logs = await send(api, `/api/data/restore_logs?filter[where][run_id]=${runId}&limit=2`);
  expect(logs.json.data).toMatchObject([
    { message: 'Pause asked for by user', detail: { reason: 'lunch' } },
    { message: 'Restore resumed by user' },
  ]);
});

test('what is not there, is disabled or is not good any more does not run', async () => {
  const missing = '/api/restores/6f0a3a0c-0000-4000-8000-000000000000';
  for (const verb of ['run', 'cancel', 'pause', 'resume']) {
    const answer = await send(api, `${missing}/${verb}`, { method: 'POST' });
    expect(answer).toMatchObject({ status: 404, json: { error_code: 'RECORD_NOT_FOUND' } });
  }
  const id = await save(site, api, { enabled: false });
  const disabled = await send(api, `/api/restores/${id}/run`, { method: 'POST' });
  expect(disabled).toMatchObject({
    status: 409,
    json: { error_code: 'CONFLICT', error: 'The restore is disabled.' },
  });

  await site.thaw.pg.query(
    `update thaw_api.restores set enabled = true, options = '{"database":"gone","restore_all":true}' where id = $1`,
    [id],
  );
  const gone = await send(api, `/api/restores/${id}/run`, { method: 'POST' });
  expect(gone).toMatchObject({ status: 400, json: { error_code: 'VALIDATION_ERROR' } });
  expect((await send(api, `/api/data/restores/${id}`)).json.data).toMatchObject({ total_runs: 0 });
  expect((await send(api, `/api/restores/${id}/run`, post({ colour: 'red' }))).status).toBe(400);
});

test('one key starts one run of a saved restore, and stands for nothing else', async () => {
  const id = await save(site, api);
  const keyed = { method: 'POST', headers: { 'idempotency-key': 'nightly' } };
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, place) =>
      send(place % 2 === 0 ? api : other, `/api/restores/${id}/run`, keyed),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
  expect(new Set(answers.map(({ json }) => json.data.run_id)).size).toBe(1);
  expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
  const runId = String(answers[0]?.json.data.run_id);
  await runIn(api, runId, ['completed']);
  const late = await send(other, `/api/restores/${id}/run`, keyed);
  expect(late).toMatchObject({ status: 200, json: { data: { run_id: runId } } });
  expect((await send(api, `/api/data/restores/${id}`)).json.data).toMatchObject({ total_runs: 1 });

  const another = await save(site, api);
  expect(await send(api, `/api/restores/${another}/run`, keyed)).toMatchObject({
    status: 409,
    json: { error_code: 'CONFLICT', data: { run_id: runId } },
  });
});

/** An event of a run, as it came. */
interface Event {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** The events of a run, until it ends them, or the reader has seen enough. */
async function* events(runId: string, lastId = ''): AsyncGenerator<Event> {
  const authorization = await testAuthorization();
  const headers = { authorization, ...(lastId === '' ? {} : { 'last-event-id': lastId }) };
  const answer = await fetch(`${api.url}/api/runs/${runId}/events`, { headers });
  expect(answer.headers.get('content-type')).toMatch('text/event-stream');
  let text = '';
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      text = text.slice(end + 2);
      if (fields.event !== undefined) {
        yield { event: fields.event, id: fields.id, data: JSON.parse(fields.data ?? '{}') };
      }
    }
  }
}

test('a run tells its events until its end, and goes on after the last that was seen', async () => {
  await site.holdTable();
  const id = await save(site, api);
  const runId = await run(id);
  await runIn(api, runId, ['running']);
  await send(api, `/api/runs/${runId}/pause`, post({ now: true }));
  const seen: Event[] = [];
  for await (const event of events(runId)) {
    seen.push(event);
    if (event.data.state === 'paused') break;
  }
  const paused = seen.filter(({ event }) => event === 'log');
  expect(paused).toMatchObject([{ data: { run_id: runId, message: 'Pause asked for by user' } }]);
  expect(paused[0]?.id).toBe(paused[0]?.data.id);

  await site.releaseTable();
  await send(api, `/api/runs/${runId}/resume`, { method: 'POST' });
  const rest: Event[] = [];
  for await (const event of events(runId, paused[0]?.id)) rest.push(event);
  expect(rest.filter(({ event }) => event === 'log').map(({ data }) => data.message)).toEqual([
    'Restore resumed by user',
    'Imported 2500 records, skipped 0, updated 0',
    'Restore completed successfully',
  ]);
  expect(rest.at(-1)).toMatchObject({
    event: 'end',
    id: 'end',
    data: { id: runId, status: 'completed', progress: 100, records_imported: 2500 },
  });
  expect(rest.some(({ event, id }) => event === 'progress' && id === undefined)).toBe(true);

  const authorization = await testAuthorization();
  const path = `${api.url}/api/runs/${runId}/events`;
  const asked = async (lastId: string, token = authorization) =>
    (await fetch(path, { headers: { authorization: token, 'last-event-id': lastId } })).status;
  expect(await asked('end')).toBe(204);
  expect(await asked('x')).toBe(400);
  expect(await asked('1', await testAuthorization({ tenant: 'another', access: 'full' }))).toBe(404);
});

const users = {
  'describe.yaml': 'people:\n  status: active\n  fields:\n    name: { type: text, required: true }\n',
  'people.jsonl':
    '{"id":"00000000-0000-4000-8000-000000000001","name":"Ada"}\n{"id":"00000000-0000-4000-8000-000000000002","name":"Bea"}\n',
};

/** Sends a bundle. @returns what names it as a source */
async function upload(): Promise<string> {
  const file = await makeZip(users);
  const sent = await send(api, '/api/uploads', {
    method: 'POST',
    headers: { 'content-type': 'application/zip' },
    body: new Uint8Array(file),
  });
  expect(sent.status).toBe(201);
  return String(sent.json.data.source_ref);
}

test('a bundle that was sent is restored by the same routes, dry first', async () => {
  const source_ref = await upload();
  const id = await save(site, api, { source_type: 'upload', source_ref, options: {} });
  expect((await send(api, `/api/data/restores/${id}`)).json.data).toMatchObject({
    source_type: 'upload',
    conflict_strategy: 'upsert',
    include: ['describe', 'data'],
    models: null,
    create_models: true,
    options: {},
  });
  const dry = await send(api, `/api/restores/${id}/run`, post({ dry_run: true }));
  expect(dry.status).toBe(200);
  const dryId = String(dry.json.data.run_id);
  await runIn(api, dryId, ['completed']);
  expect((await site.thaw.pg.query(`select to_regclass('public.people') as there`)).rows).toEqual([
    { there: null },
  ]);

  const runId = await run(id);
  await runIn(api, runId, ['completed']);
  const record = await send(other, `/api/data/restore_runs/${runId}`);
  expect(record.json.data).toMatchObject({
    status: 'completed',
    progress: 100,
    source_type: 'upload',
    source_filename: expect.any(String),
    records_imported: 2,
    models_created: 1,
    config_snapshot: { conflict_strategy: 'upsert', changes: {} },
  });
  expect((await site.thaw.pg.query('select name from people order by name')).rows).toEqual([
    { name: 'Ada' },
    { name: 'Bea' },
  ]);
  const logs = await send(api, `/api/data/restore_logs?filter[where][run_id]=${runId}`);
  const messages = (logs.json.data as unknown as { message: string }[]).map(({ message }) => message);
  expect(messages).toContain('Created model');
  expect(messages.at(-1)).toBe('Restore completed successfully');

  const once = await send(
    api,
    '/api/restores',
    post({ source_type: 'upload', source_ref, conflict_strategy: 'error' }),
  );
  expect(once.status).toBe(202);
  const failed = String(once.json.data.run_id);
  await runIn(api, failed, ['failed']);
  expect((await send(api, `/api/data/restore_runs/${failed}`)).json.data).toMatchObject({
    status: 'failed',
    error: expect.any(String),
    error_detail: expect.stringContaining('ConflictFound'),
  });
});

test.each([
  [{ source_ref: null }, 400, 'VALIDATION_ERROR', 'source_ref: is required'],
  [{ source_ref: '/etc/passwd' }, 404, 'RECORD_NOT_FOUND', 'There is no upload /etc/passwd'],
  [{ source_ref: '0'.repeat(32) }, 404, 'RECORD_NOT_FOUND', 'There is no upload'],
])('a bundle with %j does not run', async (changes, status, code, error) => {
  const id = await save(site, api, { source_type: 'upload', options: {}, ...changes });
  const answer = await send(api, `/api/restores/${id}/run`, { method: 'POST' });
  expect(answer).toMatchObject({ status, json: { error_code: code, error: expect.stringContaining(error) } });
  expect((await send(api, `/api/data/restores/${id}`)).json.data).toMatchObject({ total_runs: 0 });
});

test.each([
  [
    { conflict_strategy: 'overwrite' },
    'conflict_strategy: must be one of replace, upsert, merge, sync, skip, error',
  ],
  [{ include: ['everything'] }, 'include.0: must be one of describe, data'],
  [{ include: [] }, 'include: must name at least one part'],
  [{ options: { colour: 'red' } }, 'options.colour: is not known'],
  [{ options: { database: 'other' } }, 'other'],
])('a bundle with %j is not saved', async (changes, error) => {
  const body = { name: 'Bundle', source_type: 'upload', ...changes };
  expect(await send(api, '/api/data/restores', post(body))).toMatchObject({
    status: 400,
    json: { error_code: 'VALIDATION_ERROR', error: expect.stringContaining(error) },
  });
});

test('replace takes more access than the others', async () => {
  const source_ref = await upload();
  const id = await save(site, api, {
    source_type: 'upload',
    source_ref,
    conflict_strategy: 'replace',
    options: {},
  });
  const headers = { authorization: await testAuthorization({ access: 'edit' }) };
  const answer = await fetch(`${api.url}/api/restores/${id}/run`, { method: 'POST', headers });
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ error_code: 'FORBIDDEN' });
});
