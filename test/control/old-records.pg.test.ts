import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { configuredRunKeep } from '../../src/api/run-keep.ts';
import { startApi } from '../../src/api/server.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { removeOldRecords } from '../../src/control/old-records.ts';
import { testConfig } from '../api/fake-restores.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { tokenEnv } from '../harness/token.ts';

let database: TestDatabase;
let control: ControlDatabase;
const day = 86_400;

beforeAll(async () => {
  database = await createTestDatabase('old_records');
  control = new ControlDatabase(database.url);
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

// Of what ended 100 days ago: a run with five lines of log, one without, an extract, an upload.
beforeEach(() =>
  control.use((client) =>
    client.query(`
      truncate thaw_api.restores, thaw_api.restore_runs, thaw_api.restore_logs, thaw_api.uploads, thaw_api.extracts,
        thaw_api.extract_runs;
      insert into thaw_api.restore_runs
        (id, tenant, source_type, status, state, config_snapshot, request, created_by, created_at, completed_at)
      select id, 'a', 'upload', status, status, '{}', '{}', 'ada', now() - interval '200 days', now() - age
      from (values ('old', 'failed', interval '100 days'), ('old silent', 'cancelled', interval '100 days'),
        ('young', 'completed', interval '80 days'), ('long', 'running', null)) as run (id, status, age);
      insert into thaw_api.restore_logs (run_id, tenant, key, level, message)
      select run, 'a', n, 'info', 'x' from unnest('{old,young,long}'::text[]) as run, generate_series(1, 5) as n;
      insert into thaw_api.extracts (id, tenant, name, include, enabled, created_by)
      values ('00000000-0000-4000-8000-000000000001', 'a', 'e', '{data}', true, 'ada');
      insert into thaw_api.extract_runs
        (id, tenant, extract_id, extract_name, status, completed_at, key, removed_at, request, created_by)
      select id, 'a', '00000000-0000-4000-8000-000000000001', 'e', status, now() - age, key, now() - gone, '{}', 'ada'
      from (values ('old extract', 'completed', interval '100 days', 'k', interval '90 days'),
        ('kept', 'completed', interval '100 days', 'k', null), ('long extract', 'running', null, null, null))
        as run (id, status, age, key, gone);
      insert into thaw_api.uploads (id, tenant, bytes, sha256, key, created_by, expires_at, removed_at)
      values ('old upload', 'a', 1, '', 'k', 'ada', now(), now() - interval '100 days'),
        ('upload', 'a', 1, '', 'k', 'ada', now() - interval '100 days', null)`),
  ),
);

/** What is there, with the number of its lines. */
async function left(): Promise<string[]> {
  const { rows } = await control.use((client) =>
    client.query<{ line: string }>(`
      select concat_ws(' ', id, nullif((select count(*) from thaw_api.restore_logs where run_id = run.id), 0)) as line
      from thaw_api.restore_runs as run
      union all select id from thaw_api.extract_runs union all select id from thaw_api.uploads order by 1`),
  );
  return rows.map(({ line }) => line);
}

const kept = ['kept', 'long 5', 'long extract', 'upload', 'young 5'];

test('what ended long ago is removed in small steps, and nothing else', async () => {
  const step = () =>
    control.transaction((client) => removeOldRecords(client, 90 * day, { records: 2, lines: 2 }));
  expect(await step()).toEqual({ records: 3, more: true });
  expect(await left()).toEqual([...kept.slice(0, 3), 'old 3', ...kept.slice(3)]);
  expect(await step()).toEqual({ records: 0, more: true });
  expect(await step()).toEqual({ records: 1, more: false });
  expect(await left()).toEqual(kept);
  expect(await step()).toEqual({ records: 0, more: false });
});

test('several processes pass over what another removes', async () => {
  const all = { records: 10, lines: 10 };
  await control.transaction(async (client) => {
    await removeOldRecords(client, 90 * day, all);
    const other = await control.transaction((second) => removeOldRecords(second, 90 * day, all));
    expect(other).toEqual({ records: 0, more: false });
  });
  expect(await left()).toEqual(kept);
});

test('the API does so by THAW_RUN_KEEP', async () => {
  const api = await startApi({
    config: testConfig,
    env: { ...tokenEnv, THAW_DATABASE_URL: database.url, THAW_RUN_KEEP: '90d' },
    port: 0,
    // Nothing listens on port 1.
    temporal: openTemporal({ TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    taskQueue: 'none',
    logger: pino({ enabled: false }),
  });
  await expect.poll(left, { timeout: 20_000 }).toEqual(kept);
  await api.close();
});

test('THAW_RUN_KEEP is a day at least, as keys of requests are remembered so long', () => {
  expect(configuredRunKeep({})).toBe(365 * day);
  expect(configuredRunKeep({ THAW_RUN_KEEP: '1d' })).toBe(day);
  expect(configuredRunKeep({ THAW_RUN_KEEP: 'forever' })).toBe(null);
  for (const value of ['23h', '0d', 'never', '-1d']) {
    expect(() => configuredRunKeep({ THAW_RUN_KEEP: value })).toThrow(/^THAW_RUN_KEEP: must be such as 90d/);
  }
});
