import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import { fingerprint } from '../../src/config/fingerprint.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { defaultRestoreOptions } from '../../src/contract/restore-request.ts';
import type { RunRequest } from '../../src/contract/run-request.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { insertRun, readRun, type StoredRun } from '../../src/control/runs.ts';
import { expectEqualTable, expectedCsv } from '../harness/fixture.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { type ApiSite, createApiSite, send, table } from './api-site.ts';

let site: ApiSite;
/** A database of its own, which can be away while the others are there. */
let kept: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  site = await createApiSite('reconciler');
  kept = await createTestDatabase('reconciler_control');
  control = new ControlDatabase(kept.url);
});

beforeEach(async () => {
  await site.reset();
  await site.thaw.pg.query(`truncate ${table}`);
});

afterAll(async () => {
  await site.close();
  await control.close();
  await kept.drop();
});

function listen(taskQueue = site.thaw.temporal.taskQueue): Promise<RunningApi> {
  return site.listen({ env: { THAW_DATABASE_URL: kept.url }, reconcileSeconds: 1, taskQueue });
}

/** Writes a run as the API does before it starts it; it was there for a minute. */
async function written(): Promise<string> {
  const { config, database } = site.thaw;
  const id = `run-${randomBytes(6).toString('hex')}`;
  const request: RunRequest = {
    sourceType: 'archives',
    archives: {
      restoreId: id,
      fingerprint: fingerprint(config, database.name),
      database: database.name,
      tables: [{ table: 'audit_logs', schema: 'public', intoSchema: 'public', intoTable: 'audit_logs' }],
      keys: null,
      options: { ...defaultRestoreOptions, ignoreWatermark: true, heartbeatSeconds: 5 },
    },
  };
  await control.transaction(async (client) => {
    await insertRun(client, {
      id,
      tenant: 'default',
      restoreId: null,
      restoreName: null,
      sourceFilename: null,
      configSnapshot: {},
      request,
      createdBy: 'somebody',
    });
    await client.query(
      `update thaw_api.restore_runs set updated_at = now() - interval '1 minute' where id = $1`,
      [id],
    );
  });
  return id;
}

async function stored(id: string): Promise<StoredRun> {
  const run = await control.use((client) => readRun(client, id, null));
  if (run === null) throw new Error(`there is no run ${id}`);
  return run;
}

/** Nobody asks for the run: what is written of it comes from the reconciler alone. */
async function ends(id: string, status: string): Promise<StoredRun> {
  await expect.poll(async () => (await stored(id)).status, { timeout: 40_000 }).toBe(status);
  return stored(id);
}

test('a run whose start was lost is started, and its end is written', async () => {
  const id = await written();
  // Two processes find it at the same time.
  await Promise.all([listen(), listen()]);
  const run = await ends(id, 'completed');
  expect(run).toMatchObject({ state: 'completed', progress: 100, counts: { recordsImported: 2500 } });
  expect(run.completedAt?.getTime()).toBeGreaterThanOrEqual(run.startedAt?.getTime() ?? Number.NaN);
  await expectEqualTable(site.thaw.pg, table, expectedCsv('audit-logs', table));
  const { rows } = await control.use((client) =>
    client.query<{ message: string }>(
      'select message from thaw_api.restore_logs where run_id = $1 order by id',
      [id],
    ),
  );
  expect(rows.map(({ message }) => message)).toEqual([
    'Imported 2500 records, skipped 0, updated 0',
    'Restore completed successfully',
  ]);
});

test('a run that was terminated in Temporal by hand has failed, and lets the next one begin', async () => {
  const id = await written();
  // A worker that never comes: the workflow stays as it is.
  const api = await listen(`${site.thaw.temporal.taskQueue}-deserted`);
  const handle = site.thaw.client.workflow.getHandle(restoreWorkflowId(id));
  await expect
    .poll(
      () =>
        handle.describe().then(
          ({ status }) => status.name,
          () => 'unknown',
        ),
      { timeout: 20_000 },
    )
    .toBe('RUNNING');
  await handle.terminate('the test says so');
  expect(await ends(id, 'failed')).toMatchObject({ error: 'The restore was terminated in Temporal.' });
  const { json } = await send(api, `/api/data/restore_logs?filter[where][run_id]=${id}`);
  expect(json.data).toMatchObject([
    { level: 'error', message: 'Restore failed: The restore was terminated in Temporal.' },
  ]);
});

test('a control database that is away for a while costs nothing but the while', async () => {
  const api = await listen();
  const id = await written();
  await expect.poll(async () => (await stored(id)).state, { timeout: 20_000 }).not.toBe('queued');
  await asAdministrator(`alter database "${kept.name}" with allow_connections false`);
  await asAdministrator(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${kept.name}'`,
  );
  expect(await send(api, `/api/data/restore_runs/${id}`)).toMatchObject({
    status: 503,
    json: { error_code: 'SERVICE_UNAVAILABLE', data: { code: 'DatabaseUnavailable' } },
  });
  // The work goes on without it.
  await site.thaw.client.workflow.getHandle(restoreWorkflowId(id)).result();
  await asAdministrator(`alter database "${kept.name}" with allow_connections true`);
  expect(await ends(id, 'completed')).toMatchObject({ counts: { recordsImported: 2500 } });
  expect(await send(api, `/api/data/restore_runs/${id}`)).toMatchObject({
    status: 200,
    json: { data: { status: 'completed', records_imported: 2500 } },
  });
});

test('a run that Temporal has lost, and nothing remembers, has failed', async () => {
  const id = await written();
  await control.use((client) =>
    client.query(`update thaw_api.restore_runs set status = 'running', state = 'running' where id = $1`, [
      id,
    ]),
  );
  await listen();
  expect(await ends(id, 'failed')).toMatchObject({ error: 'Temporal does not know the restore any more.' });
});
