import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeBundle } from '../../src/bundle/write-bundle.ts';
import { cancelSignal, pauseUpdate, progressQuery, resumeUpdate } from '../../src/contract/messages.ts';
import type { BundleRequest } from '../../src/contract/run-request.ts';
import { releaseTarget, takeTarget } from '../../src/postgres/targets.ts';
import { until } from '../fault/until.ts';
import { bundleFixture, recordsOf, withManifest } from './bundle-fixture.ts';
import { type BundleSite, createBundleSite } from './bundle-site.ts';

let site: BundleSite;
let slack: Record<string, string>;

beforeAll(async () => {
  site = await createBundleSite('bundle');
  slack = await bundleFixture('slack');
});

afterAll(() => site.close());

/** A model's records as JSON, as they were in the bundle: without what PostgreSQL writes otherwise. */
async function recordsIn(namespace: string, model: string): Promise<Record<string, unknown>[]> {
  const records = await site.rows(`select * from ${namespace}.${model} order by id`);
  return records.map((record) =>
    Object.fromEntries(
      Object.entries(record).map(([key, value]) => [
        key,
        // timestamps have no zone in PostgreSQL, and milliseconds only where there are any
        key.endsWith('_at') && typeof value === 'string' ? new Date(`${value}Z`).toISOString() : value,
      ]),
    ),
  );
}

/** What is in the file, with numbers as PostgreSQL gives them. */
function sent(model: string): Record<string, unknown>[] {
  return recordsOf(slack[`${model}.jsonl`] ?? '').map((record) =>
    model === 'messages' ? { ...record, size: Number(record.size) } : record,
  );
}

test('a bundle of the source system comes in whole, and the run tells how', async () => {
  const run = await site.restore(slack, { namespace: 'fresh' });
  expect(run).toMatchObject({
    status: 'completed',
    state: 'completed',
    progress: 100,
    error: null,
    progressDetail: { phase: 'importing_data', files_total: 4, files_completed: 4, records_imported: 19 },
    counts: {
      recordsImported: 19,
      recordsUpdated: 0,
      recordsSkipped: 0,
      modelsCreated: 4,
      fieldsCreated: 19,
    },
  });
  for (const model of ['users', 'channels', 'messages', 'drafts']) {
    expect(await recordsIn('fresh', model)).toEqual(sent(model));
  }
  expect(await site.rows('select max(size)::text as size from fresh.messages')).toEqual([
    { size: '9007199254741005' },
  ]);
  expect(await site.rows("select to_regclass('fresh.extract_runs') as found")).toEqual([{ found: null }]);
  const log = await site.log(run.id);
  expect(log.map(({ phase, model, message }) => [phase, model, message])).toEqual(
    expect.arrayContaining([
      ['upload', null, 'Opened bundle.zip'],
      ['validation', null, 'Found 4 models and 4 data files to restore'],
      ['validation', 'extract_runs', 'Skipping model (the source system keeps it for itself)'],
      ['describe_import', 'channels', 'Created model'],
      ['describe_import', 'channels', 'Created field: owner_id'],
      ['data_import', 'messages', 'Imported 12 records, skipped 0, updated 0'],
      [null, null, 'Restore completed successfully'],
    ]),
  );
  expect(log.filter(({ level }) => level !== 'info').map(({ model }) => model)).toEqual(['extract_runs']);
  await site.keepHistory('restore-bundle', run.id);
});

test('what an extract wrote comes back the same, to the last bit', async () => {
  const { thaw } = site;
  await site.restore(slack, { namespace: 'origin' });
  await thaw.pg.query(`
    update origin.channels set settings = '"text"', topic = E'a\u2028b\\\\ \t"' where name = 'general';
    update origin.channels set settings = '"null"' where name = 'random';
    update origin.channels set settings = '{"n": 1.10, "s": "2", "e": [], "nested": [{"a": null}]}' where name = 'dev';
    update origin.messages set reactions = array[null, '', 'a"b', 'null', ','], score = 'NaN', size = 9223372036854775807,
      created_at = '2025-01-19 08:00:00.123456' where votes = 7;
    update origin.messages set reactions = null, score = 0.00000000010, edited_on = '0044-03-15 BC',
      created_at = 'infinity', trashed_at = '-infinity' where votes = 14`);
  const writing = writeBundle(await thaw.database.client(), {
    runId: 'r',
    extractId: 'e',
    namespace: 'origin',
    include: ['describe', 'data'],
    models: null,
    onRecords: () => {},
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of writing.bytes) chunks.push(chunk);
  const zip = Buffer.concat(chunks);
  const run = await site.restore(zip, { namespace: 'copy', conflictStrategy: 'error' });
  expect(run).toMatchObject({ status: 'completed', error: null, counts: { recordsImported: 19 } });
  for (const model of ['users', 'channels', 'messages', 'drafts']) {
    const different = `
      (select m::text from origin.${model} as m except all select m::text from copy.${model} as m)
      union all
      (select m::text from copy.${model} as m except all select m::text from origin.${model} as m)`;
    expect(await site.rows(different)).toEqual([]);
  }
});

test('a filter, data without description, and models that may not be made', async () => {
  const some = await site.restore(slack, { namespace: 'part', models: ['users', 'drafts', 'ghosts'] });
  expect(some).toMatchObject({ status: 'completed', counts: { recordsImported: 4, modelsCreated: 2 } });
  expect((await site.log(some.id)).map(({ model, message }) => [model, message])).toEqual(
    expect.arrayContaining([
      ['channels', 'Skipping model (not in filter)'],
      ['ghosts', 'Model is not in the bundle'],
    ]),
  );
  const forbidden = await site.restore(slack, { namespace: 'part', createModels: false });
  expect(forbidden).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('Model channels does not exist'),
    errorDetail: expect.stringContaining('create_models'),
    counts: { modelsCreated: 0, recordsImported: 0 },
  });
  const data = await site.restore(slack, { namespace: 'part', include: ['data'], models: ['channels'] });
  expect(data).toMatchObject({ status: 'failed', error: expect.stringContaining('part.channels') });
  const describe = await site.restore(slack, { namespace: 'part', include: ['describe'] });
  expect(describe).toMatchObject({
    status: 'completed',
    progress: 100,
    counts: { recordsImported: 0, modelsCreated: 2 },
  });
  expect(await site.rows('select count(*) as n from part.channels')).toEqual([{ n: 0 }]);
});

test('everything or nothing comes in under error and replace, models too', async () => {
  const { 'users.jsonl': users = '' } = slack;
  await site.restore(withManifest({ 'describe.yaml': slack['describe.yaml'] ?? '', 'users.jsonl': users }), {
    namespace: 'whole',
    models: ['users'],
  });
  const refused = await site.restore(slack, { namespace: 'whole', conflictStrategy: 'error' });
  const [{ id: first } = { id: '' }] = recordsOf(users);
  expect(refused).toMatchObject({
    status: 'failed',
    error: `users: record ${first} already exists (error strategy).`,
    counts: { recordsImported: 0, modelsCreated: 0 },
    progressDetail: { phase: 'rolled_back', records_imported: 0, records_skipped: 0 },
  });
  expect((await site.log(refused.id)).filter(({ level }) => level === 'error')).toMatchObject([
    {
      phase: 'data_import',
      model: 'users',
      record: first,
      message: 'Record already exists (error strategy)',
    },
    { message: expect.stringMatching(/^Restore failed: users: record/) },
  ]);
  expect(await site.rows("select to_regclass('whole.messages') as found")).toEqual([{ found: null }]);

  await site.thaw.pg.query("insert into whole.users (name, auth) values ('Eve', 'eve')");
  const replaced = await site.restore(slack, { namespace: 'whole', conflictStrategy: 'replace' });
  expect(replaced).toMatchObject({
    status: 'completed',
    counts: { recordsImported: 19, recordsUpdated: 0, recordsDeleted: 5, modelsCreated: 3 },
  });
  expect(
    (await site.log(replaced.id)).find(
      ({ model, message }) => model === 'users' && message.startsWith('Deleted'),
    ),
  ).toMatchObject({
    model: 'users',
    message: 'Deleted all existing records (replace strategy)',
    detail: { records: 5 },
  });
  expect(await recordsIn('whole', 'users')).toEqual(sent('users'));
  expect(await recordsIn('whole', 'messages')).toEqual(sent('messages'));
  await expectNoMoreThan('whole', { users: 4, channels: 3, messages: 12 });
  await site.keepHistory('restore-bundle-whole', replaced.id);
});

test('a model that cannot be loaded leaves those before it in, though they share a transaction', async () => {
  const record = (place: number) => `{"id":"00000000-0000-4000-8000-00000000000${place}","size":${place}}\n`;
  const files = {
    'describe.yaml': ['a', 'b', 'c', 'd']
      .map((model) => `${model}:\n  fields:\n    size: { type: integer, maximum: 3 }\n`)
      .join(''),
    'a.jsonl': record(1),
    'b.jsonl': record(1) + record(2),
    'c.jsonl': record(1) + record(9),
    'd.jsonl': record(1),
  };
  const run = await site.restore(files, { namespace: 'partly' });
  expect(run).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('partly.c'),
    errorDetail: expect.stringContaining('Correct the record in the bundle'),
    counts: { recordsImported: 3, modelsCreated: 4 },
  });
  expect(
    await site.rows(
      'select tableoid::regclass::text as model, size from partly.a union all ' +
        'select tableoid::regclass::text, size from partly.b union all ' +
        'select tableoid::regclass::text, size from partly.c union all ' +
        'select tableoid::regclass::text, size from partly.d order by 1, 2',
    ),
  ).toEqual([
    { model: 'partly.a', size: 1 },
    { model: 'partly.b', size: 1 },
    { model: 'partly.b', size: 2 },
  ]);
  const imported = (await site.log(run.id)).filter(({ message }) => message.startsWith('Imported'));
  expect(imported.map(({ model, message }) => [model, message])).toEqual([
    ['a', 'Imported 1 records, skipped 0, updated 0'],
    ['b', 'Imported 2 records, skipped 0, updated 0'],
  ]);
  // Done again with what was wrong made right, nothing is there twice.
  const mended = await site.restore({ ...files, 'c.jsonl': record(1) }, { namespace: 'partly' });
  expect(mended).toMatchObject({ status: 'completed', counts: { recordsImported: 2, recordsUpdated: 3 } });
});

test('records that are there twice come in once, in models that were just made too', async () => {
  const record = (place: number, size: number) =>
    `{"id":"00000000-0000-4000-8000-00000000000${place}","size":${size}}\n`;
  const files = {
    'describe.yaml': ['a', 'b']
      .map((model) => `${model}:\n  fields:\n    size: { type: integer }\n`)
      .join(''),
    'a.jsonl': record(1, 1) + record(2, 1),
    'b.jsonl': record(1, 1) + record(2, 2) + record(1, 3),
  };
  const outcomes: unknown[] = [];
  for (const conflictStrategy of ['upsert', 'skip', 'replace', 'error'] as const) {
    const namespace = `twice_${conflictStrategy}`;
    const { status, error, counts } = await site.restore(files, { namespace, conflictStrategy });
    const tables = await site.rows(`select from pg_tables where schemaname = '${namespace}'`);
    const sizes = tables.length === 0 ? [] : await site.rows(`select size from ${namespace}.b order by id`);
    outcomes.push([
      conflictStrategy,
      status,
      error?.includes('ConflictFound') ?? error,
      [counts.recordsImported, counts.recordsSkipped],
      tables.length,
      sizes.map(({ size }) => size),
    ]);
  }
  expect(outcomes).toEqual([
    ['upsert', 'completed', null, [4, 1], 2, [3, 2]],
    ['skip', 'completed', null, [4, 1], 2, [1, 2]],
    ['replace', 'completed', null, [4, 1], 2, [3, 2]],
    ['error', 'failed', expect.anything(), [0, 0], 0, []],
  ]);
});

test('tables of a bundle are taken, and one that another restore holds is refused', async () => {
  const files = { 'describe.yaml': slack['describe.yaml'] ?? '', 'users.jsonl': slack['users.jsonl'] ?? '' };
  const into = { namespace: 'taken', models: ['users'] };
  expect(await site.restore(withManifest(files), into)).toMatchObject({ status: 'completed' });
  const session = site.thaw.pg;
  const [{ oid } = { oid: 0 }] = await site.rows("select 'taken.users'::regclass::oid::int8 as oid");
  const target = { oid: Number(oid), schema: 'taken', table: 'users', ordered: true };
  const other = { restoreId: 'other', workflow: 'other' };
  const held = await takeTarget(session, other, target);
  for (const conflictStrategy of ['upsert', 'replace'] as const) {
    const refused = await site.restore(withManifest(files), { ...into, conflictStrategy });
    expect(refused).toMatchObject({
      status: 'failed',
      error: 'taken.users: restore other holds the table.',
      counts: { recordsImported: 0, recordsUpdated: 0 },
      errorDetail: expect.stringMatching(/^TargetBusy: .*\nWait for it/),
    });
  }
  const fields = { 'describe.yaml': 'aliases: {}\nusers: { fields: { nickname: { type: text } } }' };
  const columns = "select count(*) from pg_attribute where attrelid = 'taken.users'::regclass";
  const before = await site.rows(columns);
  const altering = { namespace: 'taken', include: ['describe'] } as const;
  for (const conflictStrategy of ['upsert', 'replace'] as const) {
    const refused = await site.restore(fields, { ...altering, conflictStrategy });
    expect(refused).toMatchObject({
      status: 'failed',
      error: 'taken.users: restore other holds the table.',
      counts: { modelsCreated: 0, fieldsCreated: 0 },
    });
    expect(await site.rows(columns)).toEqual(before);
    expect(await site.rows("select to_regclass('taken.aliases') as made")).toEqual([{ made: null }]);
  }
  // A dry run takes nothing.
  expect(await site.restore(withManifest(files), { ...into, dryRun: true })).toMatchObject({
    status: 'completed',
  });
  await releaseTarget(session, other.restoreId, held);
  expect(await site.restore(fields, altering)).toMatchObject({
    status: 'completed',
    counts: { modelsCreated: 1, fieldsCreated: 1 },
  });
  expect(await site.rows('select count(*) from thaw.targets where released_at is null')).toEqual([
    { count: 0 },
  ]);

  for (const conflictStrategy of ['upsert', 'replace'] as const) {
    const request = await site.request(withManifest(files), { ...into, conflictStrategy });
    await session.query('begin');
    await session.query('lock table taken.users in share mode');
    const handle = await site.start(request);
    const holder = () =>
      site.rows(`select restore_id, released_at from thaw.targets where target_oid = ${oid}`);
    await expect.poll(holder).toEqual([{ restore_id: request.restoreId, released_at: null }]);
    const client = new pg.Client({ connectionString: site.thaw.database.url });
    await client.connect();
    await expect(takeTarget(client, other, target)).rejects.toMatchObject({
      code: 'TargetBusy',
      message: `taken.users: restore ${request.restoreId} holds the table.`,
    });
    await client.end();
    await session.query('rollback');
    await handle.result();
    expect(await holder()).toEqual([
      { restore_id: request.restoreId, released_at: expect.stringMatching(/^2/) },
    ]);
  }
});

async function expectNoMoreThan(namespace: string, counts: Readonly<Record<string, number>>): Promise<void> {
  for (const [model, n] of Object.entries(counts)) {
    expect(await site.rows(`select count(*) as n from ${namespace}.${model}`)).toEqual([{ n }]);
  }
}

test('a dry run tells for each model what would be done, and does nothing', async () => {
  await site.restore(slack, { namespace: 'dry', models: ['users', 'channels'] });
  await site.thaw.pg.query("delete from dry.users where auth = 'dor'");
  await site.thaw.pg.query("update dry.users set name = 'Other' where auth = 'ann'");
  const before = await recordsIn('dry', 'users');
  const dry = async (conflictStrategy: BundleRequest['conflictStrategy']) => {
    const run = await site.restore(slack, { namespace: 'dry', conflictStrategy, dryRun: true });
    expect(run).toMatchObject({ status: 'completed', progress: 100, counts: { recordsImported: 0 } });
    return run.progressDetail;
  };
  expect(await dry('upsert')).toEqual({
    phase: 'dry_run',
    models_created: 2,
    fields_created: 9,
    inserts: 13,
    updates: 6,
    skips: 0,
    deletes: 0,
    models: [
      { model: 'channels', created: false, fields_created: 0, inserts: 0, updates: 3, skips: 0, deletes: 0 },
      { model: 'drafts', created: true, fields_created: 1, inserts: 0, updates: 0, skips: 0, deletes: 0 },
      { model: 'messages', created: true, fields_created: 8, inserts: 12, updates: 0, skips: 0, deletes: 0 },
      { model: 'users', created: false, fields_created: 0, inserts: 1, updates: 3, skips: 0, deletes: 0 },
    ],
  });
  expect(await dry('replace')).toMatchObject({ inserts: 19, updates: 0, deletes: 6 });
  expect(await dry('skip')).toMatchObject({ inserts: 13, updates: 0, skips: 6 });
  expect(await recordsIn('dry', 'users')).toEqual(before);
  expect(await site.rows("select to_regclass('dry.messages') as found")).toEqual([{ found: null }]);
  expect(
    await site.rows("select 1 from thaw.bundle_models where model = 'messages' and schema_name = 'dry'"),
  ).toEqual([]);
});

test('sequences go on behind the records that came', async () => {
  const { thaw } = site;
  await thaw.pg.query(`
    create schema counted;
    create table counted.tickets (id integer generated always as identity primary key, title text);
    create table counted.notes (id serial primary key)`);
  const files = { 'tickets.jsonl': '{"id":41,"title":"a"}\n', 'notes.jsonl': '{"id":7}\n' };
  expect(await site.restore(files, { namespace: 'counted' })).toMatchObject({ status: 'completed' });
  expect(
    await site.rows(
      "select nextval('counted.tickets_id_seq') as ticket, nextval('counted.notes_id_seq') as note",
    ),
  ).toEqual([{ ticket: 42, note: 8 }]);
});

test('validate_only reads the file to its end and touches no database', async () => {
  const good = await site.restore(slack, { namespace: 'unseen', validateOnly: true });
  expect(good).toMatchObject({ status: 'completed', progress: 100 });
  expect((await site.log(good.id)).map(({ message }) => message)).toContain(
    'Bundle is valid: 4 data files, 19 records',
  );
  const bad = withManifest({ ...slack, 'messages.jsonl': `${slack['messages.jsonl']}{"id":` });
  expect(await site.restore(bad, { namespace: 'unseen', validateOnly: true })).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('Line 13'),
  });
  expect(await site.rows("select 1 from pg_namespace where nspname = 'unseen'")).toEqual([]);
});

test('what a bundle requires has to be installed before, in a version that fits', async () => {
  const base = await bundleFixture('slack', { name: 'base', package_version: '1.4.2' });
  const app = (version: string) => withManifest(slack, { requires: { base: version } });
  const namespace = 'packages';
  expect(await site.restore(app('^1.4.0'), { namespace })).toMatchObject({
    status: 'failed',
    error: 'the bundle requires "base" ^1.4.0 (installed: none).',
  });
  expect(await site.rows("select 1 from pg_namespace where nspname = 'packages'")).toEqual([]);
  expect(await site.restore(base, { namespace, conflictStrategy: 'merge' })).toMatchObject({
    status: 'completed',
  });
  expect(await site.restore(app('>=2'), { namespace })).toMatchObject({
    error: 'the bundle requires "base" >=2 (installed: 1.4.2).',
  });
  expect(await site.restore(app('^1.4.0'), { namespace, conflictStrategy: 'merge' })).toMatchObject({
    status: 'completed',
    counts: { recordsImported: 0, recordsSkipped: 19 },
  });
  // Of another tenant nothing is installed.
  expect(await site.restore(app('^1.4.0'), { namespace, tenant: 'b' })).toMatchObject({ status: 'failed' });
});

test('files that were restored before are left out where that is asked for', async () => {
  await site.restore(slack, { namespace: 'again' });
  const changed = withManifest({
    ...slack,
    'users.jsonl': (slack['users.jsonl'] ?? '').replace('"name":"Ann"', '"name":"Anna"'),
  });
  const run = await site.restore(changed, { namespace: 'again', incremental: true });
  expect(run).toMatchObject({ counts: { recordsImported: 0, recordsUpdated: 4, recordsSkipped: 0 } });
  const lines = (await site.log(run.id)).filter(({ message }) => message.startsWith('Skipped file'));
  expect(lines.map(({ model }) => model).sort()).toEqual(['channels', 'drafts', 'messages']);
});

test.each(['thaw', 'thaw_api', 'pg_catalog', 'pg_toast', 'information_schema'])(
  'nothing goes into the schema %s',
  async (namespace) => {
    const { error, status } = await site.restore(slack, { namespace });
    expect([status, error]).toEqual(['failed', `${namespace}: nothing is restored into this schema.`]);
  },
);

describe('a restore that is under way', () => {
  /** Keeps the import of messages waiting until it is let go. */
  async function held(namespace: string, rest: Partial<BundleRequest> = {}) {
    await site.restore(slack, { namespace, include: ['describe'] });
    const blocker = await site.thaw.database.client();
    await blocker.query(`begin; lock table ${namespace}.users in share mode`);
    const request = await site.request(slack, { namespace, ...rest });
    const handle = await site.start(request);
    await until('the import waits', async () => {
      const waiting = await site.rows(
        `select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'thaw/${request.restoreId}/%'`,
      );
      return waiting.length > 0;
    });
    return { request, handle, release: () => blocker.query('commit') };
  }

  test('is rolled back by a pause, and done again at resume', { timeout: 90_000 }, async () => {
    const { request, handle, release } = await held('paused');
    expect(await handle.executeUpdate(pauseUpdate, { args: [{ reason: 'lunch', now: true }] })).toBe(
      'pausing',
    );
    await until('it is paused', async () => (await site.run(request.restoreId)).state === 'paused', 30_000);
    expect(await handle.query(progressQuery)).toMatchObject({ state: 'paused', reason: 'lunch' });
    expect((await site.run(request.restoreId)).status).toBe('running');
    await release();
    expect(await handle.executeUpdate(resumeUpdate)).toBe('running');
    await handle.result();
    expect(await site.run(request.restoreId)).toMatchObject({
      status: 'completed',
      counts: { recordsImported: 19, recordsUpdated: 0 },
    });
    await expect(handle.executeUpdate(resumeUpdate)).rejects.toThrow();
    await site.keepHistory('restore-bundle-paused-now', request.restoreId);
  });

  test('leaves what was committed and nothing else when it is cancelled', { timeout: 90_000 }, async () => {
    const { request, handle, release } = await held('cancelled');
    await handle.signal(cancelSignal, 'enough');
    await expect(handle.result()).rejects.toThrow();
    await release();
    expect(await site.run(request.restoreId)).toMatchObject({ status: 'cancelled', error: null });
    expect((await site.log(request.restoreId)).at(-1)).toMatchObject({
      level: 'warn',
      message: 'Restore cancelled by user',
    });
    await expectNoMoreThan('cancelled', { users: 0, channels: 0, messages: 0 });
    await site.keepHistory('restore-bundle-cancelled', request.restoreId);
  });
});
