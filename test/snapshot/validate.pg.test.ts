import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { findDatabase } from '../../src/config/database-config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { ThawConfig } from '../../src/config/thaw-config.ts';
import type { SnapshotSource, TenantPart } from '../../src/contract/snapshot.ts';
import type { SnapshotValidation } from '../../src/contract/snapshot-validation.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { LoadProgress } from '../../src/load/load-progress.ts';
import { withDatabase } from '../../src/postgres/connect-database.ts';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import {
  beginHistory,
  completeHistory,
  failHistory,
  type HistoryProgress,
  writeHistory,
} from '../../src/postgres/snapshot-history.ts';
import { mergeTables } from '../../src/snapshot/merge/merge-tables.ts';
import { withPreviewStage } from '../../src/snapshot/preview/preview-stage.ts';
import { chooseTables } from '../../src/snapshot/restore/choose-tables.ts';
import { openSnapshot } from '../../src/snapshot/restore/open-snapshot.ts';
import { stageSnapshot } from '../../src/snapshot/restore/stage-snapshot.ts';
import { type ValidateJob, validateSnapshot } from '../../src/snapshot/validate/validate-snapshot.ts';
import { takeSnapshot } from '../../src/snapshot/write/take-snapshot.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { openSession, type Session } from '../postgres/session.ts';

let session: Session;
let client: pg.Client;
let root: string;
let config: ThawConfig;
let store: FolderStore;
let env: NodeJS.ProcessEnv;
const { signal } = new AbortController();

beforeAll(async () => {
  session = await openSession('validate');
  client = session.client;
  root = await mkdtemp(join(tmpdir(), 'thaw-validate-'));
  await mkdir(join(root, 'store'));
  const { database: name, ...place } = session.config;
  const text = JSON.stringify({
    version: '1.0',
    folder: 'store',
    databases: [{ name, ...place, tables: [] }],
  });
  const path = join(root, 'config.yaml');
  await writeFile(path, text);
  env = { THAW_CONFIG: path };
  config = parseConfig(text, path, {});
  store = new FolderStore({ kind: 'folder', path: join(root, 'store'), prefix: '' });
});
afterAll(async () => {
  await session.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  await rm(join(root, 'store/snapshots'), { recursive: true, force: true });
  await client.query('drop schema public cascade; create schema public');
});

interface TakeOptions {
  readonly tenant?: TenantPart | null;
  readonly keep?: number | null;
}

async function take(tables: readonly string[], { tenant = null, keep = null }: TakeOptions = {}) {
  const source: SnapshotSource = { kind: 'stored', id: 's' };
  await takeSnapshot({
    request: {
      ...{
        id: 's',
        fingerprint: '',
        database: session.config.database,
        name: 's',
        type: 'manual',
        by: 'ada',
      },
      tables: tables.map((table) => ({ schema: 'public', table })),
      ...{ schemas: [], tenant, keep, readers: 2, partBytes: 100 },
    },
    ...{ place: { store, prefix: '' }, progress: new LoadProgress(), signal },
    withConnection: (applicationName, until, action) =>
      withDatabase(database(), {}, { applicationName, signal: until }, action),
  });
  return source;
}

function database() {
  return findDatabase(config, session.config.database);
}

function job(source: SnapshotSource, changes: Partial<ValidateJob> = {}): ValidateJob {
  return {
    ...{ database: database(), env: {}, signal, place: { store, prefix: '' }, source },
    ...{ tables: null, tenant: null, newerBy: null, schemaStrategy: 'strict', again: false, quick: false },
    ...changes,
  };
}

async function validated(source: SnapshotSource, changes: Partial<ValidateJob> = {}) {
  const found: SnapshotValidation = await validateSnapshot(job(source, changes));
  if ('error' in found) throw new Error(found.error);
  return found;
}

async function issuesOf(source: SnapshotSource, changes: Partial<ValidateJob> = {}): Promise<string[]> {
  const { valid, issues } = await validated(source, changes);
  expect(valid).toBe(issues.length === 0);
  return issues.map(({ issue }) => issue);
}

/** What a merge says, which is rolled back; null where it has nothing against it. */
async function refusal(source: SnapshotSource, changes: Partial<ValidateJob>): Promise<string | null> {
  const asked = job(source, changes);
  return withPreviewStage(asked, async ({ client: own, schema, connect }) => {
    const snapshot = await openSnapshot(source, { place: asked.place, connect, signal }, own);
    const chosen = await chooseTables(own, snapshot, asked);
    const exact = asked.schemaStrategy === 'strict';
    const staged = await stageSnapshot(snapshot, chosen, { schema, connections: 2, connect, exact, signal });
    await own.query('begin');
    try {
      await mergeTables(own, staged);
      return null;
    } catch (error) {
      if (error instanceof ThawError) return error.message;
      throw error;
    } finally {
      await own.query('rollback');
    }
  });
}

/** Rows that break keys, as the validation and the merge name them: both the same. */
async function broken(source: SnapshotSource, changes: Partial<ValidateJob> = {}): Promise<string[]> {
  const issues = await issuesOf(source, changes);
  expect(issues.length === 0 ? null : `${issues.join('; ')}.`).toBe(await refusal(source, changes));
  return issues;
}

test('rows that would break foreign keys are those that the merge refuses', async () => {
  await client.query(`
    create table regions (id int primary key);
    create table customers (id int primary key, tenant int, region int references regions, at int);
    create table orders (id int primary key, customer int references customers on delete cascade deferrable);
    create table notes (id int, "order" int constraint note references orders on delete set null);
    create table pairs (a int, b int, primary key (a, b));
    create table full_pairs (id int primary key, a int, b int, foreign key (a, b) references pairs match full);
    insert into regions values (1), (2), (3);
    insert into customers select n, n % 2, n % 3 + 1, 0 from generate_series(1, 6) as n;
    insert into orders select n, n from generate_series(1, 6) as n;
    insert into pairs values (1, 1), (2, 2);
    insert into full_pairs values (1, 1, 1), (2, 2, 2), (3, null, null);
    insert into notes values (1, 1), (1, 2)`);
  const tables = ['customers', 'orders', 'full_pairs'];
  const source = await take(tables);
  expect(await broken(source)).toEqual([]);
  await client.query(`
    update customers set region = 1, at = 1; delete from regions where id = 3;
    insert into customers values (7, 1, 1, 1); insert into orders values (7, 7), (8, 7), (9, 7);
    insert into notes values (2, 7), (2, 9), (3, null);
    delete from orders where id = 1; delete from full_pairs where a = 2; delete from pairs where a = 2`);
  const whole = await broken(source);
  expect(whole).toEqual([
    'public.customers: rows with (id) = (2), (5) break the foreign key customers_region_fkey to public.regions',
    'public.full_pairs: rows with (id) = (2) break the foreign key full_pairs_a_b_fkey to public.pairs',
    'public.notes: rows with (order) = (7), (9) break the foreign key note to public.orders',
  ]);
  const names = (...some: string[]) => ({ tables: some.map((table) => ({ schema: 'public', table })) });
  // Its orders stay, so one customer that goes is missed.
  expect(await broken(source, names('customers'))).toEqual([
    whole[0],
    'public.orders: rows with (id) = (7), (8), (9) break the foreign key orders_customer_fkey to public.customers',
  ]);
  expect(await broken(source, names('orders'))).toEqual([whole[2]]);
  // Nothing is deleted, and what is newer stays.
  expect(await broken(source, { newerBy: 'at', ...names('customers') })).toEqual([]);
  const tenant = { column: 'tenant', value: '0' };
  expect(await broken(source, { tenant, ...names('customers') })).toEqual([
    'public.customers: rows with (id) = (2) break the foreign key customers_region_fkey to public.regions',
  ]);
});

test('also through partitions, computed columns, columns of one side and keys that are not valid', async () => {
  await client.query(`
    create table words (word text primary key);
    create table places (id int primary key);
    insert into words values ('a'), ('b'), ('c');
    insert into places values (1), (2);
    create table events (id int, day int, place int, code text,
      word text generated always as (lower(code)) stored references words, primary key (id, day)) partition by range (day);
    create table events_1 partition of events for values from (0) to (10);
    create table events_2 partition of events for values from (10) to (20);
    alter table events_2 add constraint only_there foreign key (place) references places;
    create table seen (id int primary key, event int, day int, foreign key (event, day) references events);
    create table old (id int primary key, place int);
    insert into old values (1, 99), (2, 1);
    alter table old add constraint late foreign key (place) references places not valid;
    insert into events values (1, 1, 9, 'A'), (2, 12, 2, 'B'), (3, 13, 1, 'C');
    insert into seen values (1, 1, 1)`);
  const source = await take(['events', 'old']);
  expect(await broken(source)).toEqual([]);
  await client.query(
    `
    update events set place = 1; delete from places where id = 2;
    update events set code = 'a'; delete from words where word = 'c';
    insert into events values (4, 4, null, 'a'), (5, 15, null, 'a');
    insert into seen values (2, 4, 4), (3, 5, 15)`,
  );
  expect(await broken(source)).toEqual([
    'public.events: rows with (id, day) = (3, 13) break the foreign key events_word_fkey to public.words',
    'public.events_2: rows with (id, day) = (2, 12) break the foreign key only_there to public.places',
    'public.seen: rows with (id) = (2), (3) break the foreign key seen_event_day_fkey to public.events',
  ]);
  await client.query(`
    truncate seen; insert into places values (2); insert into words values ('c');
    create table owners (id int primary key); insert into owners values (7);
    alter table events add owner int default 5, drop place cascade;
    update events set owner = 7;
    alter table events add constraint owned foreign key (owner) references owners;
    delete from events where id = 1`);
  expect(await issuesOf(source)).toEqual([
    'public.events, column owner: the snapshot does not have it, the table has it now',
    'public.events, column place: the table does not have it any more',
  ]);
  // Rows that are there keep their owner, and one that comes back gets the default.
  expect(await broken(source, { schemaStrategy: 'lenient' })).toEqual([
    'public.events: rows with (id, day) = (1, 1) break the foreign key owned to public.owners',
  ]);
});

test.for([
  ['people_pkey', 'update people set id = 5, code = null where id = 2', 'tenant'],
  ['people_lower_idx', "update people set name = 'ANN', code = null where id = 2", 'tenant'],
  ['people_code_idx', 'update people set code = 7, part = 1 where id = 2', 'tenant'],
  ['people_seat_row_no_idx', 'update people set seat = null, row_no = 1 where id = 2', 'tenant'],
  [null, 'update people set code = 7, part = 0 where id = 2', 'tenant'],
  ['later', 'create unique index later on people (same)', 'all'],
] as const)(
  'rows whose values of %s are taken are those that the merge refuses',
  async ([index, change, of]) => {
    await client.query(`
    create table people (id int primary key, tenant text, name text, code int, part int, seat int, row_no int, same int);
    create unique index on people (lower(name));
    create unique index on people ((code * 2)) where part > 0;
    alter index people_expr_idx rename to people_code_idx;
    create unique index on people (seat, row_no) nulls not distinct;
    insert into people values (1, 'a', 'ann', 7, 1, null, 1, 0), (2, 'b', 'bob', 8, 1, 2, 2, 1), (5, 'a', 'eve', 9, 1, 3, 3, 0);`);
    const tenant = of === 'tenant' ? { column: 'tenant', value: 'a' } : null;
    const source = await take(['people'], { tenant });
    await client.query(`delete from people ${of === 'tenant' ? "where tenant = 'a'" : ''}`);
    await client.query(change);
    const issues = await issuesOf(source, { tenant });
    expect(issues.map((issue) => /the unique index (\w+) that/.exec(issue)?.[1])).toEqual(
      index === null ? [] : [index],
    );
    expect(await refusal(source, { tenant })).toBe(index === null ? null : `${issues[0]}.`);
  },
);

test('columns and types that have changed are named, each one of them', async () => {
  await client.query(`
    create table t (id int primary key, small int, price numeric(10,2), name text, gone text, sum int);
    create table away (id int);
    insert into t values (1, 2, 3.45, 'n', 'g', 1), (2, 2, 3.45, null, 'g', 1)`);
  const source = await take(['t', 'away']);
  await client.query(`
    drop table away;
    alter table t alter small type bigint, alter price type numeric(10,1), drop gone, add more int, add must int,
      drop sum, add sum int generated always as (id + 1) stored;
    update t set must = 1, name = 'x'; alter table t alter must set not null, alter name set not null`);
  const strict = [
    'public.away: there is no such table',
    'public.t, column small: it was integer and is bigint',
    'public.t, column price: it was numeric(10,2) and is numeric(10,1)',
    'public.t, column more: the snapshot does not have it, the table has it now',
    'public.t, column must: the snapshot does not have it, the table has it now',
    'public.t, column sum: the table computes it now',
    'public.t, column gone: the table does not have it any more',
  ];
  expect(await issuesOf(source)).toEqual(strict);
  expect(await issuesOf(source, { quick: true })).toEqual(strict);
  const lenient = await validated(source, { schemaStrategy: 'lenient', quick: true });
  expect(lenient.issues).toMatchObject([
    { issue: 'public.away: there is no such table', code: 'TargetMissing', object: 'public.away' },
    { issue: expect.stringMatching(/price: it was .*: values may be rounded/), code: 'SchemaIncompatible' },
    { issue: expect.stringMatching(/must: .*, and refuses NULL without a default/) },
  ]);
  expect(lenient.notices).toEqual([
    'public.t, column small: it was integer and is bigint; values are converted',
    'public.t, column name: it refuses NULL now',
    'public.t, column more: the snapshot does not have it, the table has it now; rows that are there keep it, others get its default',
    'public.t, column sum: the table computes it now; its values are left out',
    'public.t, column gone: the table does not have it any more; its values are left out',
  ]);
  await client.query('create table away (id int); alter table t drop must, alter price type numeric(10,2)');
  expect(await issuesOf(source, { schemaStrategy: 'lenient' })).toEqual([
    'public.t, column name: 1 rows of the snapshot have NULL, which it refuses',
  ]);
  expect((await client.query("select from pg_namespace where nspname like 'thaw_preview_%'")).rowCount).toBe(
    0,
  );
});

test('every damaged file is told, and what a snapshot says of itself', async () => {
  await client.query(
    `create table t (id int primary key, x text); insert into t select n, repeat('x', 80) from generate_series(1, 8) as n`,
  );
  const source = await take(['t'], { keep: 0 });
  expect(await issuesOf(source, { quick: true })).toEqual(['snapshot expired']);
  const sound = await validated(source);
  expect(sound).toMatchObject({ valid: false, complete: true, issues: [{ issue: 'snapshot expired' }] });
  expect(sound.snapshot).toEqual({
    ...{ id: 's', status: 'expired', affected_tables: ['public.t'] },
    created_at: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  const folder = join(root, 'store/snapshots/s/public.t');
  const parts = (await readdir(folder)).filter((name) => name.endsWith('.gz')).sort();
  expect(parts.length).toBe(4);
  const [first = '', second = '', third = ''] = parts.map((name) => join(folder, name));
  await rm(first);
  await writeFile(second, (await readFile(second)).subarray(0, 20));
  await writeFile(third, await readFile(join(folder, parts[3] ?? '')));
  const { issues } = await validated(source);
  expect(issues.map(({ code, object }) => [code, object])).toEqual([
    ['InputInvalid', null],
    ['ArchiveNotFound', `snapshots/s/public.t/${parts[0]}`],
    ['ArchiveCorrupt', `snapshots/s/public.t/${parts[1]}`],
    ['ChecksumMismatch', `snapshots/s/public.t/${parts[2]}`],
  ]);
  expect(JSON.stringify(issues)).not.toContain('xxx');
  const manifest = join(root, 'store/snapshots/s/manifest.json');
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('"rows": 2', '"rows": 3'));
  expect(await validated(source)).toMatchObject({
    valid: false,
    issues: [{ issue: expect.stringContaining('sha256 is not that of its parts'), code: 'MetadataInvalid' }],
    snapshot: { id: 's', created_at: null, status: 'damaged', affected_tables: [] },
  });
  expect(await validateSnapshot(job({ kind: 'stored', id: 'nowhere' }))).toEqual({
    valid: false,
    error: 'Snapshot not found',
  });
});

test('a row of backup_pitr_snapshots is answered as its own function does, and read besides', async () => {
  const mine = '6d1f0d5c-0000-4000-8000-000000000001';
  await client.query(pitrSql('public'));
  await client.query(`
    create table teams (id int primary key, tenant_id uuid, size int);
    insert into teams values (1, '${mine}', 5)`);
  const { rows } = await client.query<{ id: string }>(
    `select create_pitr_snapshot('${mine}', 'night', '{teams}', 'bob') as id`,
  );
  const source: SnapshotSource = { kind: 'table', id: rows[0]?.id ?? '' };
  const theirs = async () =>
    (await client.query<{ answer: object }>(`select validate_snapshot_integrity('${source.id}') as answer`))
      .rows[0]?.answer;
  expect(await issuesOf(source)).toEqual([]);
  const set = (what: string) => client.query(`update backup_pitr_snapshots set ${what}`);
  await set("is_rolled_back = true, expires_at = now() - interval '1 day'");
  expect(await issuesOf(source)).toEqual(['snapshot expired', 'already rolled back']);
  expect(await theirs()).toMatchObject({
    issues: [{ issue: 'snapshot expired' }, { issue: 'already rolled back' }],
  });
  const again = await validated(source, { again: true });
  expect(again.notices).toEqual(['already rolled back: it is restored once more']);
  await set("is_rolled_back = false, expires_at = null, affected_tables = '{}', snapshot_data = 'null'");
  expect((await issuesOf(source)).slice(0, 2)).toEqual(['snapshot_data is null', 'no affected_tables']);
  await set(
    `affected_tables = '{teams,gone}', snapshot_data = '{"teams": [{"id": 1, "size": "many", "tenant_id": "${mine}"}]}'`,
  );
  expect(await issuesOf(source)).toEqual([
    'snapshot_data does not have its checksum',
    'snapshot_data has no rows of gone',
    'public.teams: a value cannot be read as the type of its column (column size, SQLSTATE 22P02)',
  ]);
  await set("affected_tables = '{teams}', metadata = '{}'");
  expect(await validated(source)).toMatchObject({
    issues: [{ code: 'RowRejected', object: 'public.teams' }],
    snapshot: { id: source.id, status: 'active', affected_tables: ['teams'] },
  });
  expect(await validateSnapshot(job({ kind: 'table', id: mine }))).toEqual({
    valid: false,
    error: 'Snapshot not found',
  });
});

test('thaw snapshot validate tells people and programs, and changes nothing', async () => {
  await client.query(`
    create table teams (id int primary key);
    create table people (id int primary key, team int references teams, name text);
    insert into teams values (1), (2);
    insert into people values (1, 1, 'ann'), (2, 2, 'bob')`);
  await take(['people']);
  await client.query('delete from people where id = 2; delete from teams where id = 2');
  const run = (...flags: string[]) => thawHere(['snapshot', 'validate', 's', ...flags], env);
  expect(await run('--quick')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('Valid (no rows were read)'),
  });
  const whole = await run();
  expect(whole.exitCode).toBe(3);
  expect(whole.stdout.split('\n').slice(1)).toEqual([
    '  ✗ public.people: rows with (id) = (2) break the foreign key people_team_fkey to public.teams',
    'Invalid: 1 issue',
    '',
  ]);
  const { exitCode, stdout } = await run('--json');
  expect([exitCode, JSON.parse(stdout)]).toMatchObject([
    3,
    { valid: false, complete: true, issues: [{ code: 'RowRejected' }] },
  ]);
  const unknown = await thawHere(['snapshot', 'validate', 'nowhere', '--json'], env);
  expect([unknown.exitCode, JSON.parse(unknown.stdout)]).toEqual([
    3,
    { valid: false, error: 'Snapshot not found' },
  ]);
  expect(stdout + whole.stdout).not.toContain('bob');
  expect((await client.query('select from people')).rowCount).toBe(1);
});

test('thaw snapshot history tells of restores that run, and how others ended', async () => {
  const run = (...flags: string[]) => thawHere(['snapshot', 'history', ...flags], env);
  expect((await run()).stdout).toBe('No restores of snapshots.\n');
  await ensureSchema(client);
  const metadata = { database: 'db', strategy: 'overwrite', tenant: null } as const;
  const begin = (restoreId: string, id: string) =>
    beginHistory(
      client,
      {
        restoreId,
        metadata: { ...metadata, source: { kind: 'stored', id } },
        by: 'ann',
        reason: 'why',
        currentStep: 'starting',
      },
      null,
    );
  const progress = (step: string): HistoryProgress => ({
    currentStep: step,
    steps: [
      {
        ...{
          table: 'public.people',
          status: 'staging',
          progress_pct: 20,
          eta_seconds: 75,
          rows_restored: null,
        },
        ...{ started_at: '2026-01-01T00:00:00.000Z', completed_at: null },
      },
    ],
    ...{ keys: null, transactionIds: ['7'], errors: 0, error: null },
  });
  for (const id of ['one', 'two', 'three']) await begin(id, id === 'two' ? 'b' : 'a');
  await completeHistory(client, 'one', progress('completed'), [
    { schema: 'public', table: 'people', inserted: 1_000, updated: 234, deleted: 5, unchanged: 6 },
  ]);
  await failHistory(client, 'two', {
    code: 'RowRejected',
    error: 'rows\u001b break it',
    hint: null,
    object: null,
    sqlstate: null,
  });
  await writeHistory(client, 'three', progress('staging'));
  const { stdout, exitCode } = await run();
  expect(exitCode).toBe(0);
  expect(stdout.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
    'RESTORE | SNAPSHOT | STARTED | STATUS | TOOK | ROWS | BY | REASON',
    expect.stringMatching(/^three \| a \| .*Z \| in_progress \| - \| - \| ann \| why$/),
    expect.stringMatching(/^two \| b \| .*Z \| failed \| 0 s \| 0 \| ann \| why$/),
    expect.stringMatching(/^one \| a \| .*Z \| completed \| 0 s \| 1,234 \| ann \| why$/),
    'three: staging',
    ' | public.people | staging | 20 % | about 1 min 15 s left',
    'two: RowRejected: rows\\u001b break it',
    '',
  ]);
  const json = JSON.parse((await run('a', '--limit', '1', '--json')).stdout);
  expect(json.restores).toMatchObject([
    { restore_id: 'three', current_step: 'staging', transaction_ids: ['7'] },
  ]);
});
