import {
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Restores } from '../../src/api/runs.ts';
import { type RestoreProgress, restoreStates } from '../../src/contract/progress.ts';
import { runStatus } from '../../src/contract/run-status.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { insertRun } from '../../src/control/runs.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import {
  failedOutcome,
  fakeRestores,
  post,
  read,
  type TestDependencies,
  testApp,
  testRequest,
} from './fake-restores.ts';

let database: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  database = await createTestDatabase('runs');
  control = new ControlDatabase(database.url);
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

/** Every test has the run anew, as it was written when it was asked for. */
beforeEach(async () => {
  await control.transaction(async (client) => {
    await client.query('delete from thaw_api.restore_logs');
    await client.query('delete from thaw_api.restore_runs');
    await insertRun(client, {
      id,
      tenant: 'default',
      restoreId: null,
      restoreName: null,
      sourceFilename: null,
      configSnapshot: { source_type: 'archives' },
      request: { sourceType: 'archives', archives: testRequest(id) },
      createdBy: 'somebody',
    });
    await client.query('update thaw_api.restore_runs set created_at = $1', [createdAt]);
  });
});

const id = '20260104-052021-k3x9ab';
const createdAt = new Date('2026-01-04T05:20:21Z');
const endedAt = new Date('2026-01-04T05:20:34Z');

const progress: RestoreProgress = {
  restoreId: id,
  database: 'production_db',
  state: 'running',
  reason: null,
  startedAt: '2026-01-04T05:20:22.000Z',
  archives: { done: 7, total: 10 },
  bytes: { done: 670, total: 1000 },
  tally: {
    archives: { restored: 7, earlier: 0, failed: 0 },
    rows: { inserted: 24_000, updated: 1000, skipped: 150, failed: 0 },
    bytes: 670,
  },
  rowsPerSecond: 5000,
  etaSeconds: 12,
  failures: [],
  tables: [
    {
      target: 'public.audit_logs',
      workflowId: 'target/production_db/public.audit_logs',
      state: 'running',
      archives: { done: 7, total: 10 },
      bytes: { done: 670, total: 1000 },
      tally: {
        archives: { restored: 7, earlier: 0, failed: 0 },
        rows: { inserted: 24_000, updated: 1000, skipped: 150, failed: 0 },
        bytes: 670,
      },
      failures: [],
      inFlight: ['2026-01-04_batch_008'],
    },
  ],
};

async function get(path: string, restores: Partial<Restores>, others: TestDependencies = {}) {
  return read(await testApp({ control, restores: fakeRestores(restores), ...others }).request(path));
}

const running = {
  describe: async () => ({ standing: 'running', createdAt, endedAt: null }) as const,
  progress: async () => progress,
};

const withFailures = {
  describe: async () => ({ standing: 'completed', createdAt, endedAt }) as const,
  outcome: async () => failedOutcome(id),
};

/** What the gRPC client throws. */
function rpcError(code: number): ServiceError {
  const cause = Object.assign(new Error('rpc'), { code, details: 'rpc', metadata: {} });
  return new ServiceError('Failed to query Workflow', { cause });
}

describe('GET /api/data/restore_runs/:id', () => {
  const path = `/api/data/restore_runs/${id}`;

  it('gives the documented record of a run that is going on', async () => {
    const { status, json } = await get(path, running);
    expect(status).toBe(200);
    expect(json).toEqual({
      success: true,
      data: {
        id,
        restore_id: null,
        restore_name: null,
        source_type: 'archives',
        source_filename: null,
        status: 'running',
        state: 'running',
        progress: 67,
        progress_detail: {
          phase: 'importing_data',
          files_total: 10,
          files_completed: 7,
          current_model: 'public.audit_logs',
          records_imported: 24_000,
          records_skipped: 150,
        },
        started_at: '2026-01-04T05:20:22.000Z',
        completed_at: null,
        duration_seconds: null,
        records_imported: 24_000,
        records_updated: 1000,
        records_skipped: 150,
        records_deleted: 0,
        records_failed: 0,
        models_created: 0,
        fields_created: 0,
        error: null,
        error_detail: null,
        config_snapshot: { source_type: 'archives' },
        created_by: 'somebody',
        created_at: '2026-01-04T05:20:21.000Z',
      },
    });
  });

  it('calls a run failed whose archives did not all come back, and says why', async () => {
    const { json } = await get(path, withFailures);
    expect(json.data).toMatchObject({
      status: 'failed',
      state: 'completed_with_failures',
      progress: 100,
      started_at: '2026-01-04T05:20:21.500Z',
      completed_at: '2026-01-04T05:20:34.000Z',
      duration_seconds: 12.5,
      records_imported: 8500,
      records_updated: 100,
      records_skipped: 400,
      records_failed: 1000,
      error:
        '1 of 10 archives could not be restored. The first: audit_logs_20260104T052021Z_batch_003.jsonl.gz: the checksum is another one',
    });
    expect(json.data.error_detail).toContain('ChecksumMismatch');
  });

  it('is queued until a worker has begun, which takes no worker to tell', async () => {
    const { json } = await get(path, {
      describe: async () => ({ standing: 'queued', createdAt, endedAt: null }),
    });
    expect(json.data).toMatchObject({ status: 'queued', state: 'queued', progress: 0, started_at: null });
  });

  it('never says 100 while something is left to do', async () => {
    const done = { ...progress, state: 'finishing', bytes: { done: 1000, total: 1000 } } as const;
    const { json } = await get(path, { ...running, progress: async () => done });
    expect(json.data).toMatchObject({ status: 'running', state: 'finishing', progress: 99 });
  });

  it('does not end before the workflow has told with what', async () => {
    const told = { ...progress, state: 'failed' } as const;
    const early = await get(path, { ...running, progress: async () => told });
    expect(early.json.data).toMatchObject({ status: 'running', state: 'finishing', completed_at: null });
    const { json } = await get(path, withFailures);
    expect(json.data).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('1 of 10 archives'),
      error_detail: expect.stringContaining('ChecksumMismatch'),
    });
  });

  it('has one of the six statuses for every state', () => {
    expect(Object.fromEntries(restoreStates.map((state) => [state, runStatus(state)]))).toEqual({
      queued: 'queued',
      planning: 'running',
      running: 'running',
      pausing: 'running',
      paused: 'running',
      finishing: 'running',
      completed: 'completed',
      completed_with_failures: 'failed',
      failed: 'failed',
      cancelling: 'running',
      cancelled: 'cancelled',
    });
  });

  it('is remembered by the target database when Temporal has forgotten it', async () => {
    const asked: string[] = [];
    const { status, json } = await get(
      path,
      {},
      {
        findRecorded: async (restoreId) => {
          asked.push(restoreId);
          const outcome = failedOutcome(id);
          return { database: 'production_db', state: outcome.state, outcome, createdAt, endedAt };
        },
      },
    );
    expect(asked).toEqual([id]);
    expect(status).toBe(200);
    expect(json.data).toMatchObject({ id, status: 'failed', records_imported: 8500 });
  });

  it.each(['nobody-knows-me', 'UPPER', 'a%2F..%2Fb', 'x'.repeat(41)])('does not know %s', async (unknown) => {
    const { status, json } = await get(`/api/data/restore_runs/${unknown}`, {});
    expect({ status, code: json.error_code }).toEqual({ status: 404, code: 'RECORD_NOT_FOUND' });
  });

  it('asks the database for a cancelled run that no worker answers for', async () => {
    const outcome = { ...failedOutcome(id), state: 'cancelled' } as const;
    const { json } = await get(
      path,
      {
        describe: async () => ({ standing: 'cancelled', createdAt, endedAt }),
        progress: async () => Promise.reject(rpcError(4)),
      },
      { findRecorded: async () => ({ database: 'd', state: 'cancelled', outcome, createdAt, endedAt }) },
    );
    expect(json.data).toMatchObject({ status: 'cancelled', records_imported: 8500 });
  });

  it('calls a terminated run failed', async () => {
    const { json } = await get(path, {
      describe: async () => ({ standing: 'broken', createdAt, endedAt }),
    });
    expect(json.data).toMatchObject({ status: 'failed', error: 'The restore was terminated in Temporal.' });
  });

  it.each([
    ['Temporal is not there', rpcError(14)],
    ['nobody answers in time', rpcError(4)],
    ['an update is not answered in time', new WorkflowUpdateRPCTimeoutOrCancelledError('late')],
    ['a database is not there', new ThawError('DatabaseUnavailable', 'cannot connect to 127.0.0.1:5432/x')],
  ])('is what was known last when %s; what is going on is 503', async (_, error) => {
    await get(path, running);
    const restores = { ...running, progress: async () => Promise.reject(error) };
    const record = await get(path, restores);
    expect(record).toMatchObject({ status: 200, json: { data: { status: 'running', progress: 67 } } });
    const { status, json } = await get(`/api/runs/${id}`, restores);
    expect({ status, code: json.error_code }).toEqual({ status: 503, code: 'SERVICE_UNAVAILABLE' });
    expect(json.data.hint).toEqual(expect.any(String));
  });
});

describe('GET /api/runs/:runId', () => {
  it('tells state, progress, counts and tables', async () => {
    const { status, json } = await get(`/api/runs/${id}`, running);
    expect(status).toBe(200);
    const counts = {
      archives_restored: 7,
      archives_restored_earlier: 0,
      archives_failed: 0,
      records_inserted: 24_000,
      records_updated: 1000,
      records_skipped: 150,
      records_failed: 0,
    };
    expect(json.data).toEqual({
      run_id: id,
      ...{ dump: null, drill: null, system: null, undo: null, snapshot: null },
      database: 'production_db',
      state: 'running',
      reason: null,
      progress: 67,
      created_at: '2026-01-04T05:20:21.000Z',
      started_at: '2026-01-04T05:20:22.000Z',
      completed_at: null,
      archives: { done: 7, total: 10 },
      bytes: { done: 670, total: 1000 },
      counts,
      records_per_second: 5000,
      eta_seconds: 12,
      failures: [],
      tables: [
        {
          target: 'public.audit_logs',
          state: 'running',
          archives: { done: 7, total: 10 },
          bytes: { done: 670, total: 1000 },
          counts,
          in_flight: ['2026-01-04_batch_008'],
          notices: [],
          error: null,
        },
      ],
      error: null,
    });
  });

  it('tells failures of a run that has ended', async () => {
    const { json } = await get(`/api/runs/${id}`, withFailures);
    expect(json.data).toMatchObject({
      state: 'completed_with_failures',
      failures: [{ code: 'ChecksumMismatch', stage: 'download', records: 1000 }],
      tables: [{ state: 'completed_with_failures', archives: { done: 10, total: 10 } }],
    });
  });
});

describe('POST /api/runs/:runId/…', () => {
  const send = async (verb: string, init: RequestInit, restores: Partial<Restores>) => {
    return read(
      await testApp({ control, restores: fakeRestores(restores) }).request(`/api/runs/${id}/${verb}`, init),
    );
  };

  it('pauses with a reason, at once when asked', async () => {
    const calls: unknown[] = [];
    const { status, json } = await send('pause', post({ reason: 'lunch', now: true }), {
      ...running,
      pause: async (...call) => {
        calls.push(call);
        return 'pausing';
      },
    });
    expect(status).toBe(200);
    expect(json.data).toEqual({ run_id: id, message: 'Restore pausing', state: 'pausing' });
    expect(calls).toEqual([[id, 'lunch', true]]);
  });

  it('does not cancel what has ended, though Temporal would take it for done', async () => {
    const { status, json } = await send('cancel', post({}), { ...withFailures, cancel: async () => {} });
    expect({ status, error: json.error }).toEqual({
      status: 409,
      error: 'The restore is completed_with_failures.',
    });
  });

  it.each([
    ['no body', { method: 'POST' }],
    ['no body but its content type', { method: 'POST', headers: { 'content-type': 'application/json' } }],
    ['an empty object', post({})],
  ])('needs no more than %s', async (_, init) => {
    const calls: unknown[] = [];
    const note = async (...call: unknown[]) => {
      calls.push(call);
      return 'running' as const;
    };
    expect((await send('pause', init, { ...running, pause: note })).status).toBe(200);
    expect((await send('resume', init, { ...running, resume: note })).status).toBe(200);
    const cancel = async (...call: unknown[]) => void calls.push(call);
    expect((await send('cancel', init, { ...running, cancel })).status).toBe(200);
    expect(calls).toEqual([[id, null, false], [id], [id, null]]);
  });

  it.each([
    [post({ reason: 7 }), 400, 'VALIDATION_ERROR'],
    [post({ why: 'x' }), 400, 'VALIDATION_ERROR'],
    [post({ now: 'yes' }), 400, 'VALIDATION_ERROR'],
    [post('{'), 400, 'JSON_PARSE_ERROR'],
    [post('reason=x', { 'content-type': 'text/plain' }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('refuses a wrong body (%#)', async (init, status, code) => {
    expect(await send('pause', init, {})).toMatchObject({ status, json: { error_code: code } });
  });

  it('is 409 with the reason when the run refuses', async () => {
    const cause = new WorkflowUpdateFailedError('failed', new Error('The restore is not paused.'));
    const { status, json } = await send('resume', post({}), {
      ...running,
      resume: async () => Promise.reject(new ThawError('InputInvalid', 'x', { cause })),
    });
    expect({ status, code: json.error_code, error: json.error }).toEqual({
      status: 409,
      code: 'CONFLICT',
      error: 'The restore is not paused.',
    });
  });

  const gone = async () => {
    const cause = new WorkflowNotFoundError(
      'workflow execution already completed',
      `restore/${id}`,
      undefined,
    );
    throw new ThawError('InputInvalid', `No restore ${id} is running.`, { cause });
  };

  it.each(['pause', 'resume', 'cancel'])('%s: is 409 when the run has ended', async (verb) => {
    let asked = 0;
    // It ends after it was looked at.
    const describe = async () => (asked++ === 0 ? running.describe() : withFailures.describe());
    const { status, json } = await send(verb, post({}), { ...withFailures, describe, [verb]: gone });
    expect({ status, error: json.error }).toEqual({
      status: 409,
      error: 'The restore is completed_with_failures.',
    });
  });

  it.each(['pause', 'resume', 'cancel'])('%s: is 404 when there never was such a run', async (verb) => {
    await control.use((client) => client.query('delete from thaw_api.restore_runs'));
    const { status, json } = await send(verb, post({}), { ...running, [verb]: gone });
    expect({ status, code: json.error_code }).toEqual({ status: 404, code: 'RECORD_NOT_FOUND' });
  });
});
