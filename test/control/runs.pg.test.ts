import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunRequest } from '../../src/contract/run-request.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { appendLogs, type LogLine } from '../../src/control/logs.ts';
import { readRestore } from '../../src/control/restores.ts';
import {
  insertRun,
  type NewRun,
  readRun,
  takeUntouchedRuns,
  touchRun,
  updateRun,
} from '../../src/control/runs.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';

let database: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  database = await createTestDatabase('control');
  control = new ControlDatabase(database.url);
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

const request: RunRequest = {
  sourceType: 'upload',
  bundle: {
    restoreId: 'r',
    tenant: 'a',
    fingerprint: 'f',
    database: 'db',
    namespace: 'public',
    source: { kind: 'stored', key: 'uploads/x', sha256: '00', filename: 'x.zip' },
    conflictStrategy: 'upsert',
    include: ['describe', 'data'],
    models: null,
    createModels: true,
    dryRun: false,
    validateOnly: false,
    incremental: false,
  },
};

function newRun(id: string, restoreId: string | null = null): NewRun {
  return {
    id,
    tenant: 'a',
    restoreId,
    restoreName: null,
    sourceFilename: 'x.zip',
    configSnapshot: { conflict_strategy: 'upsert' },
    request,
    createdBy: 'somebody',
  };
}

async function savedRestore(): Promise<string> {
  return control.use(async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into thaw_api.restores (tenant, namespace, name, source_type, conflict_strategy, include, create_models, enabled, created_by)
       values ('a', 'public', 'saved', 'upload', 'upsert', '{data}', true, true, 'somebody') returning id`,
    );
    return rows[0]?.id ?? '';
  });
}

test('the schema is made once, however many processes begin at once', async () => {
  const others = Array.from({ length: 5 }, () => new ControlDatabase(database.url));
  const versions = await Promise.all(
    others.map((other) => other.use((client) => client.query('select version from thaw_api.schema_version'))),
  );
  expect(versions.map(({ rows }) => rows)).toEqual(others.map(() => [{ version: 1 }]));
  await Promise.all(others.map((other) => other.close()));
});

test('of two runs of one saved restore that begin at once, one is written', async () => {
  const restore = await savedRestore();
  const written = await Promise.all(
    ['one', 'two', 'three'].map((id) =>
      control.transaction((client) => insertRun(client, newRun(id, restore))),
    ),
  );
  expect(written.sort()).toEqual([false, false, true]);
  const { rows } = await control.use((client) =>
    client.query('select total_runs, last_run_id from thaw_api.restores where id = $1', [restore]),
  );
  expect(rows).toEqual([{ total_runs: 1, last_run_id: expect.stringMatching(/one|two|three/) }]);
});

test('the end of a run and the beginning of the next one do not wait for each other', async () => {
  const restore = await savedRestore();
  await control.transaction((client) => insertRun(client, newRun('before', restore)));
  let ending: Promise<boolean> | null = null;
  const begun = await control.transaction(async (client) => {
    await readRestore(client, restore, 'a', 'for update');
    ending = control.transaction((other) => updateRun(other, 'before', { state: 'completed' }));
    await expect
      .poll(async () => {
        const { rows } = await client.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'thaw/control' and datname = $1`,
          [database.name],
        );
        return rows.length;
      })
      .toBe(1);
    return insertRun(client, newRun('after', restore));
  });
  expect(begun).toBe(false);
  expect(await ending).toBe(true);
});

test('a run that somebody looks after is left alone by others for a while', async () => {
  await control.transaction((client) => insertRun(client, newRun('watched')));
  const take = async (seconds: number) => {
    const runs = await control.use((client) => takeUntouchedRuns(client, seconds, 100));
    return runs.some(({ id }) => id === 'watched');
  };
  expect(await take(60)).toBe(false);
  await control.use((client) =>
    client.query(
      `update thaw_api.restore_runs set updated_at = now() - interval '2 minutes' where id = 'watched'`,
    ),
  );
  const taken = await Promise.all([take(60), take(60), take(60)]);
  expect(taken.filter((mine) => mine)).toHaveLength(1);
  expect(await take(60)).toBe(false);
});

test('a run is pending until Temporal has it, and what a worker wrote meanwhile stays', async () => {
  const read = () => control.use((client) => readRun(client, 'waits', 'a'));
  const touch = () => control.use((client) => touchRun(client, 'waits'));
  await control.transaction((client) => insertRun(client, newRun('waits')));
  expect(await read()).toMatchObject({ status: 'pending', state: 'queued', startedAt: null });
  await touch();
  expect(await read()).toMatchObject({ status: 'queued', state: 'queued', startedAt: null });
  await control.use((client) => updateRun(client, 'waits', { state: 'planning', progress: 3 }));
  await touch();
  expect(await read()).toMatchObject({ status: 'running', state: 'planning', progress: 3 });
});

test('what has ended is not changed any more, progress never goes back, and totals count it once', async () => {
  const restore = await savedRestore();
  await control.use((client) => insertRun(client, newRun('ends', restore)));
  const change = (...[next]: [Parameters<typeof updateRun>[2]]) =>
    control.transaction((client) => updateRun(client, 'ends', next));
  expect(await change({ state: 'running', progress: 40, counts: { recordsImported: 7 } })).toBe(true);
  expect(await change({ state: 'running', progress: 30 })).toBe(true);
  expect(await change({ state: 'completed', progress: 100 })).toBe(true);
  expect(await change({ state: 'failed', error: 'late' })).toBe(false);

  const run = await control.use((client) => readRun(client, 'ends', 'a'));
  expect(run).toMatchObject({ status: 'completed', progress: 100, error: null, request });
  expect(run?.counts.recordsImported).toBe(7);
  expect(await control.use((client) => readRun(client, 'ends', 'another'))).toBeNull();
  const { rows } = await control.use((client) =>
    client.query('select successful_runs, failed_runs from thaw_api.restores where id = $1', [restore]),
  );
  expect(rows).toEqual([{ successful_runs: 1, failed_runs: 0 }]);
});

test('log lines stand in their order, and once, when they are written again', async () => {
  await control.use((client) => insertRun(client, newRun('logged')));
  const line = (key: string): LogLine => ({
    key,
    level: 'info',
    phase: 'data_import',
    model: 'orders',
    record: null,
    message: `Line ${key}`,
    detail: { n: 1 },
  });
  await control.use((client) => appendLogs(client, 'logged', [line('b'), line('a')]));
  await control.use((client) => appendLogs(client, 'logged', [line('a'), line('c')]));
  const { rows } = await control.use((client) =>
    client.query(
      `select key, tenant, message, detail from thaw_api.restore_logs where run_id = 'logged' order by id`,
    ),
  );
  expect(rows.map(({ key }) => key)).toEqual(['b', 'a', 'c']);
  expect(rows[0]).toEqual({ key: 'b', tenant: 'a', message: 'Line b', detail: { n: 1 } });
});
