import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runChecks } from '../../../src/dump/verify/checks.ts';
import { surveyDatabase } from '../../../src/dump/verify/survey.ts';
import { connect, disconnect } from '../../../src/postgres/connection.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';
import { databaseConfig } from './verify-site.ts';

const signal = new AbortController().signal;
const env = {};
const reader = `survey_${randomBytes(4).toString('hex')}`;
let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase('survey');
  client = await database.client();
  await client.query(`
    create table plain (id bigserial primary key, n integer);
    insert into plain (n) select generate_series(1, 500);
    create table parent (a integer);
    create table child () inherits (parent);
    insert into parent values (1);
    insert into child values (2), (3);
    create table ranged (a integer) partition by list (a);
    create table ranged_1 partition of ranged for values in (1) partition by list (a);
    create table ranged_1_1 partition of ranged_1 for values in (1);
    insert into ranged values (1), (1);
    create unlogged table "Quick ""One" (a integer);
    insert into "Quick ""One" values (1);
    create table hidden (a integer);
    insert into hidden values (1), (2);
    alter table hidden enable row level security;
    create table settings (a integer);
    insert into settings values (1), (20), (30);
    alter extension plpgsql add table settings;
    update pg_extension set extconfig = array['settings'::regclass::oid], extcondition = array['where a > 10']
    where extname = 'plpgsql';
    create temp table passing (a integer);
    analyze`);
  await asAdministrator(`create role ${reader} login password 'reads'`);
  await client.query(`grant select on plain, hidden, ranged_1_1 to ${reader}`);
});

afterAll(async () => {
  await database.drop();
  await asAdministrator(`drop role ${reader}`);
});

test('a survey counts each table as a dump of it would, at one moment', async () => {
  const { facts, tables, sequences } = await surveyDatabase({
    connection: databaseConfig(database),
    env,
    seconds: null,
    signal,
  });
  const rows = Object.fromEntries(tables.map((each) => [each.table, each.rows]));
  expect(rows).toEqual({
    'public.plain': 500,
    'public.parent': 1,
    'public.child': 2,
    'public.ranged_1_1': 2,
    'public."Quick ""One"': 1,
    'public.hidden': 2,
    'public.settings': 2,
  });
  expect(tables.find(({ table }) => table === 'public.ranged_1_1')?.roots).toEqual([
    'public.ranged_1',
    'public.ranged',
  ]);
  expect(facts).toMatchObject({ database: database.name, tables: 7, rows: 510, estimated: 0 });
  expect(facts.serverVersion).toMatch(/^\d+\.\d+$/);
  expect(facts.bytes).toBeGreaterThan(1_000_000);
  expect(sequences).toEqual([
    { sequence: 'public.plain_id_seq', column: 'public.plain.id', last: '500', standing: 'ahead' },
  ]);
});

test('a large database is counted by several connections that see the same moment', async () => {
  const large = await createTestDatabase('survey_large');
  try {
    const session = await large.client();
    // A page of the large table holds few of its rows; counting the small one waits for the lock.
    await session.query(`
      create unlogged table big with (fillfactor = 10) as select generate_series(1, 60000) as a;
      create table small as select 1 as a;
      create table other as select 1 as a;
      alter extension plpgsql add table small;
      update pg_extension set extconfig = array['small'::regclass::oid],
        extcondition = array['where pg_advisory_lock_shared(7)::text is not null']
      where extname = 'plpgsql';
      select pg_advisory_lock(7)`);
    const survey = surveyDatabase({ connection: databaseConfig(large), env, seconds: null, signal });
    const waiting = `select count(*)::integer as sessions, count(*) filter (where wait_event = 'advisory') > 0 as waits
      from pg_stat_activity where application_name = 'thaw/survey' and datname = current_database()`;
    await expect
      .poll(async () => (await session.query(waiting)).rows)
      .toEqual([{ sessions: 3, waits: true }]);
    await session.query('insert into small values (2); select pg_advisory_unlock(7)');
    const { tables } = await survey;
    expect(tables.map(({ table, rows, exact }) => [table, rows, exact])).toEqual([
      ['public.big', 60_000, true],
      ['public.other', 1, true],
      ['public.small', 1, true],
    ]);
  } finally {
    await large.drop();
  }
});

test('what there is no time to count is estimated, and what may not be read is told as unknown', async () => {
  const hurried = await surveyDatabase({ connection: databaseConfig(database), env, seconds: 0, signal });
  expect(hurried.facts).toMatchObject({ tables: 7, rows: 511, estimated: 7 });
  expect(hurried.sequences).toMatchObject([{ standing: 'unknown' }]);

  const connection = { ...databaseConfig(database), user: reader, password: { secret: 'reads' } };
  const { tables, facts } = await surveyDatabase({ connection, env, seconds: null, signal });
  const rows = Object.fromEntries(tables.map((each) => [each.table, each.rows]));
  expect(rows).toMatchObject({
    'public.plain': 500,
    'public.ranged_1_1': 2,
    // a policy hides its rows
    'public.hidden': null,
    'public.child': null,
  });
  expect(facts).toMatchObject({ rows: 502, estimated: 5 });
});

test('a check is one question that is true, and changes nothing', async () => {
  const session = await connect(
    { ...database, database: database.name },
    { applicationName: 'thaw/test', signal },
  );
  try {
    const checks = [
      'select count(*) = 500, 1 from plain;',
      'with one as (select 1) select true from one -- the end',
      'select count(*) = 499 from plain',
      'select null::boolean',
      `select 'true'`,
      'select true where false',
      'select true from plain',
      'select 1/0 = 1',
      'select true; delete from plain',
      'delete from plain returning true',
      `select setval('plain_id_seq', 1) = 1`,
      'commit',
      'select pg_sleep(60) is not null',
      'select true',
    ];
    const done = await runChecks(session, checks, 1);
    const refused = (state: string) => `failed: PostgreSQL refuses it (SQLSTATE ${state}).`;
    expect(done.map(({ name, outcome, detail }) => `${name}: ${outcome}: ${detail}`)).toEqual(
      [
        'passed: It is true.',
        'passed: It is true.',
        'failed: It is not true.',
        'failed: It is not true.',
        'failed: Its first column is no boolean.',
        'failed: It gives no row.',
        'failed: It gives more than one row.',
        refused('22012'),
        refused('42601'),
        refused('42601'),
        refused('25006'),
        refused('42601'),
        'failed: It takes longer than 1 s.',
        'passed: It is true.',
      ].map((text, place) => `check ${place + 1}: ${text}`),
    );
  } finally {
    await disconnect(session);
  }
  const { rows } = await client.query('select count(*)::integer as rows from plain');
  expect(rows).toEqual([{ rows: 500 }]);
});
