import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { expectEqualTable, expectedCsv } from '../harness/fixture.ts';
import type { TestThaw } from '../harness/thaw.ts';
import { type ApiSite, createApiSite, runIn as runInOf, send, table } from './api-site.ts';
import { type Answer, post, read } from './fake-restores.ts';

let site: ApiSite;
let thaw: TestThaw;
let apis: RunningApi[];

beforeAll(async () => {
  site = await createApiSite('api');
  thaw = site.thaw;
});

beforeEach(async () => {
  await thaw.pg.query(`truncate ${table}`);
  apis = [await site.listen(), await site.listen()];
});

afterEach(async () => {
  await site.reset();
});

afterAll(async () => {
  await site.close();
});

function body(changes: object = {}): object {
  return { database: thaw.database.name, table: 'audit_logs', restore_all: true, ...changes };
}

async function start(changes: object = {}): Promise<string> {
  const { status, json } = await send(apis[0], '/api/restores', post(body(changes)));
  expect({ status, error: json.error }).toEqual({ status: 202 });
  return String(json.data.run_id);
}

async function runIn(id: string, states: readonly string[]): Promise<Answer['json']['data']> {
  return runInOf(apis[0], id, states);
}

test('a restore that was posted comes to its end, exactly, with true counts', async () => {
  const id = await start();
  const run = await runIn(id, ['completed']);
  expect(run).toMatchObject({
    database: thaw.database.name,
    progress: 100,
    archives: { done: 9, total: 9 },
    counts: { archives_restored: 9, archives_failed: 0, records_inserted: 2500, records_skipped: 0 },
    failures: [],
    error: null,
  });
  await expectEqualTable(thaw.pg, table, expectedCsv('audit-logs', table));
  const { json } = await send(apis[1], `/api/data/restore_runs/${id}`);
  expect(json.data).toMatchObject({
    id,
    status: 'completed',
    progress: 100,
    progress_detail: { files_total: 9, files_completed: 9, records_imported: 2500 },
    records_imported: 2500,
    error: null,
  });
  expect(Date.parse(String(json.data.completed_at))).toBeGreaterThanOrEqual(
    Date.parse(String(json.data.started_at)),
  );
});

test('a dry run tells what is there, and changes nothing', async () => {
  const changes = { dry_run: true, ignore_watermark: true };
  const { status, json } = await send(apis[0], '/api/restores', post(body(changes)));
  expect(status).toBe(200);
  expect(json.data).toMatchObject({ dry_run: true, tables: [{ into_table: 'audit_logs', archives: 9 }] });
  expect((await thaw.pg.query(`select from ${table}`)).rowCount).toBe(0);
  const missing = await send(apis[0], '/api/restores', post(body({ ...changes, into_table: 'nowhere' })));
  expect(missing).toMatchObject({
    status: 404,
    json: { error_code: 'NOT_FOUND', data: { code: 'TargetMissing' } },
  });
});

test('one key starts one restore, however many ask at once, and after the API was started anew', async () => {
  const keyed = (changes: object = {}) =>
    post(body({ ignore_watermark: true, ...changes }), { 'idempotency-key': 'nightly 2026-01-04' });
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, place) => send(apis[place % 2], '/api/restores', keyed())),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(202));
  const ids = new Set(answers.map(({ json }) => String(json.data.run_id)));
  expect(ids.size).toBe(1);
  expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);

  const id = [...ids][0] ?? '';
  await runIn(id, ['completed']);
  const handle = thaw.client.workflow.getHandle(restoreWorkflowId(id));
  const { runId } = await handle.describe();

  await site.reset();
  apis = [await site.listen(), await site.listen()];
  const again = await send(apis[1], '/api/restores', keyed());
  expect(again).toMatchObject({ status: 202, json: { data: { run_id: id } } });
  const other = await send(apis[0], '/api/restores', keyed({ conflict_strategy: 'overwrite' }));
  expect(other).toMatchObject({ status: 409, json: { error_code: 'CONFLICT' } });
  expect((await handle.describe()).runId).toBe(runId);
});

test('two requests that fight for one key at the same time: one wins, the other is told', async () => {
  const keyed = (lanes: number) =>
    post(body({ ignore_watermark: true, lanes }), { 'idempotency-key': 'contested' });
  const answers = await Promise.all(
    [1, 2, 3, 4].map((lanes) => send(apis[lanes % 2], '/api/restores', keyed(lanes))),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
  await runIn(String(answers.find(({ status }) => status === 202)?.json.data.run_id), ['completed']);
});

test('a run is paused, resumed and brought to its end', async () => {
  await site.holdTable();
  const id = await start({ ignore_watermark: true });
  await runIn(id, ['running']);

  const refused = await send(apis[0], `/api/runs/${id}/resume`, post({}));
  expect(refused).toMatchObject({
    status: 409,
    json: { error_code: 'CONFLICT', error: 'The restore is not paused.' },
  });

  const paused = await send(apis[1], `/api/runs/${id}/pause`, post({ reason: 'maintenance', now: true }));
  expect(paused.status).toBe(200);
  expect(await runIn(id, ['paused'])).toMatchObject({ reason: 'maintenance' });
  const record = await send(apis[0], `/api/data/restore_runs/${id}`);
  expect(record.json.data).toMatchObject({ status: 'running', state: 'paused' });

  await site.releaseTable();
  const resumed = await send(apis[0], `/api/runs/${id}/resume`, { method: 'POST' });
  expect(resumed).toMatchObject({ status: 200, json: { data: { run_id: id, state: 'running' } } });
  expect(await runIn(id, ['completed'])).toMatchObject({ counts: { records_inserted: 2500 } });
  await expectEqualTable(thaw.pg, table, expectedCsv('audit-logs', table));

  const late = await send(apis[0], `/api/runs/${id}/pause`, post({}));
  expect(late).toMatchObject({ status: 409, json: { error: 'The restore is completed.' } });
});

test('a run is taken back by a run of its own, once', async () => {
  await site.holdTable();
  const id = await start({ undoable: true, conflict_strategy: 'overwrite', ignore_watermark: true });
  await runIn(id, ['running']);
  const undo = (runId: string, body: object = {}, headers: Record<string, string> = {}) =>
    send(apis[0], `/api/runs/${runId}/undo`, post(body, headers));
  expect(await undo(id)).toMatchObject({
    status: 409,
    json: { error: expect.stringContaining('only one that has ended is taken back') },
  });
  await site.releaseTable();
  await runIn(id, ['completed']);

  const key = { 'idempotency-key': `undo-${id}` };
  const [first, again] = await Promise.all([
    undo(id, { reason: 'wrong day' }, key),
    undo(id, { reason: 'wrong day' }, key),
  ]);
  expect([first, again]).toMatchObject([{ status: 202 }, { status: 202 }]);
  const undoId = String(first?.json.data.run_id);
  expect(again?.json.data.run_id).toBe(undoId);
  expect(await undo(id, { reason: 'other' }, key)).toMatchObject({ status: 409 });
  expect(await runIn(undoId, ['completed'])).toMatchObject({
    progress: 100,
    error: null,
    undo: {
      undoes: id,
      tables: [{ target: table, deleted: 2500, brought_back: 0, gone: 0, left: [], error: null }],
    },
  });
  const { rows } = await thaw.pg.query(`select from ${table}`);
  expect(rows).toEqual([]);
  const { json } = await send(apis[1], `/api/data/restore_runs/${undoId}`);
  expect(json.data).toMatchObject({
    ...{ source_type: 'undo', status: 'completed', records_deleted: 2500, created_by: 'tester' },
    config_snapshot: { undoes: id, input: { reason: 'wrong day' } },
  });

  const refused = async (runId: string, body: object = {}) => {
    const { status, json: told } = await undo(runId, body);
    return [status, told.error];
  };
  expect(await refused(id)).toEqual([409, 'The run is undone already.']);
  expect(await refused(undoId)).toEqual([409, 'A run of undo cannot be taken back.']);
  expect(await refused('none')).toEqual([404, expect.stringContaining('none')]);
  expect(await refused(id, { force: true })).toEqual([400, 'force: is not known']);
  const plain = await start({ ignore_watermark: true });
  await runIn(plain, ['completed']);
  expect(await refused(plain)).toEqual([409, expect.stringContaining('not asked for with "undoable": true')]);
  // It is said before anything is replaced that nothing of it is kept.
  const dry = { dry_run: true, conflict_strategy: 'overwrite', ignore_watermark: true };
  const { json: preview } = await send(apis[0], '/api/restores', post(body(dry)));
  expect(JSON.stringify(preview.data)).toContain('has rows: what overwrite replaces is not kept');
});

test('a cancelled run leaves nothing half done', async () => {
  await site.holdTable();
  const id = await start({ ignore_watermark: true });
  await runIn(id, ['running']);
  const cancelled = await send(apis[0], `/api/runs/${id}/cancel`, post({ reason: 'wrong day' }));
  expect(cancelled).toMatchObject({ status: 200, json: { data: { run_id: id, state: 'cancelling' } } });
  expect(await runIn(id, ['cancelled'])).toMatchObject({ counts: { records_inserted: 0 }, error: null });
  await site.releaseTable();
  expect((await thaw.pg.query(`select from ${table}`)).rowCount).toBe(0);
  const again = await send(apis[0], `/api/runs/${id}/cancel`, { method: 'POST' });
  expect(again).toMatchObject({ status: 409, json: { error: 'The restore is cancelled.' } });
});

test('archives that failed make the run failed, with what went wrong', async () => {
  const [key = ''] = (await thaw.bucket.keys()).filter((name) => name.endsWith('.jsonl.gz'));
  const id = await start({ restore_all: false, s3_key: key.replace('batch_', 'batch_9') });
  await runIn(id, ['completed_with_failures', 'failed']);
  const { json } = await send(apis[0], `/api/data/restore_runs/${id}`);
  expect(json.data).toMatchObject({
    status: 'failed',
    error: expect.any(String),
    error_detail: expect.any(String),
  });
  expect(json.data.error_detail).toContain('ArchiveNotFound');
});

test('a run that ended while nobody looked, and that Temporal has forgotten, is told by the target database', async () => {
  const id = await start({ ignore_watermark: true });
  await runIn(id, ['completed']);
  await thaw.pg.query(
    `update thaw_api.restore_runs set status = 'queued', state = 'queued', completed_at = null, detail = null where id = $1`,
    [id],
  );
  await site.reset();
  // Deleting a workflow takes the server half a minute; in another namespace it never was.
  const forgetful = await site.listen({ env: { TEMPORAL_NAMESPACE: 'temporal-system' } });
  const { status, json } = await send(forgetful, `/api/data/restore_runs/${id}`);
  expect(status).toBe(200);
  expect(json.data).toMatchObject({ id, status: 'completed', progress: 100, records_imported: 2500 });
  const late = await send(forgetful, `/api/runs/${id}/pause`, { method: 'POST' });
  expect(late).toMatchObject({ status: 409, json: { error_code: 'CONFLICT' } });
  const unknown = await send(forgetful, '/api/runs/nobody-knows-me');
  expect(unknown).toMatchObject({ status: 404, json: { error_code: 'RECORD_NOT_FOUND' } });
});

test('without a worker a run is queued, and what needs one is 503', async () => {
  const api = await site.listen({ taskQueue: `${thaw.temporal.taskQueue}-deserted` });
  const { json } = await send(api, '/api/restores', post(body()));
  const id = String(json.data.run_id);
  const record = await send(api, `/api/data/restore_runs/${id}`);
  expect(record).toMatchObject({ status: 200, json: { data: { status: 'queued', started_at: null } } });
  const paused = await send(api, `/api/runs/${id}/pause`, { method: 'POST' });
  expect(paused).toMatchObject({ status: 503, json: { error_code: 'SERVICE_UNAVAILABLE' } });
  await thaw.client.workflow.getHandle(restoreWorkflowId(id)).terminate('the test is over');
  const ended = await send(api, `/api/data/restore_runs/${id}`);
  expect(ended.json.data).toMatchObject({
    status: 'failed',
    error: 'The restore was terminated in Temporal.',
  });
});

test('the API is ready', async () => {
  const answer = await read(await fetch(`${apis[0]?.url}/readyz`));
  expect(answer).toMatchObject({
    status: 200,
    json: { data: { checks: { temporal: true, database: true } } },
  });
});
