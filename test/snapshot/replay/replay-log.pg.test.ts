import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureSchema } from '../../../src/postgres/schema.ts';
import { openSession, type Session } from '../../postgres/session.ts';
import { rowsOf } from '../merge/merge-site.ts';
import { type Base, logSql, logTable, type ReplayedSite, replayTo, takeBase } from './log-site.ts';
import { recipe } from './recipe.ts';

let session: Session;
let client: pg.Client;
const tenant = '00000000-0000-4000-8000-00000000000a';
const other = '00000000-0000-4000-8000-00000000000b';

beforeAll(async () => {
  session = await openSession('replay_log');
  client = session.client;
});
afterAll(() => session.close());
beforeEach(async () => {
  await client.query(`drop schema public cascade; create schema public; drop schema if exists elsewhere cascade;
    ${logSql({ counted: true, partial: false })};
    create table things (id int primary key, name text, seat int);
    insert into things select n, 'name ' || n, n from generate_series(1, 3) as n`);
});

/** Whatever was done until now. */
async function now(): Promise<string> {
  const { rows } = await client.query<{ at: string }>('select clock_timestamp()::text as at');
  return rows[0]?.at ?? '';
}

/** Writes entries as somebody else's tool does. */
async function log(...entries: readonly Record<string, unknown>[]): Promise<void> {
  await client.query(
    `insert into backup_transaction_logs (table_name, tenant_id, operation, record_id, old_data, new_data, changed_at)
     select coalesce("table", 'things'), tenant, op, record, old, new, coalesce(at, clock_timestamp())
     from jsonb_to_recordset($1::jsonb) as entry ("table" text, tenant uuid, op text, record text, old jsonb,
       new jsonb, at timestamptz)`,
    [JSON.stringify(entries)],
  );
}

async function replayed(base: Base, more: Parameters<typeof replayTo>[4] = {}): Promise<ReplayedSite> {
  return replayTo(client, ['things'], base, await now(), more);
}

const staged = () => rowsOf(client, 'stage.things');

test('tables without entries are as in the snapshot, and the log names tables with and without their schema', async () => {
  await client.query(`create schema elsewhere; create table elsewhere.things (id int primary key);
    create table "Odd Name" (id int primary key, name text); insert into "Odd Name" values (1, 'a'), (2, 'b'), (3, 'c')`);
  const base = await takeBase(client, ['things', '"Odd Name"']);
  const row = (id: number) => ({ op: 'DELETE', record: `${id}` });
  await log(
    { ...row(1), table: 'Odd Name' },
    { ...row(2), table: 'public.Odd Name' },
    { ...row(3), table: 'public."Odd Name"' },
    { ...row(1), table: 'elsewhere.things' },
  );
  await client.query(`insert into backup_transaction_logs (table_name, operation, record_id)
    select c.oid::regclass::text, 'DELETE', '2' from pg_class c where c.oid = 'elsewhere.things'::regclass`);
  const result = await replayTo(client, ['things', 'Odd Name'], base, await now());
  expect(result.changes).toEqual([
    { schema: 'public', table: 'things', inserts: 0, updates: 0, deletes: 0, faults: 0 },
    { schema: 'public', table: 'Odd Name', inserts: 0, updates: 0, deletes: 3, faults: 0 },
  ]);
  expect(await staged()).toEqual(await rowsOf(client, 'things'));
  expect(await rowsOf(client, 'stage."Odd Name"')).toEqual([]);
  expect(result.tables.map(({ rows }) => rows)).toEqual([0, 0]);
});

test('changes that the snapshot did not see count, and no others, whatever their time', async () => {
  await client.query(logTable('things'));
  const late = await session.open();
  await late.query(`begin; update things set seat = 10 where id = 1`);
  await client.query(`update things set seat = 20 where id = 2`);
  const base = await takeBase(client, ['things']);
  await late.query('commit');
  await client.query(`update things set seat = seat + 1 where id = 1`);
  const until = await now();
  await client.query(`update things set seat = 99`);
  await replayTo(client, ['things'], base, until);
  expect(await staged()).toEqual(['(1,"name 1",11)', '(2,"name 2",20)', '(3,"name 3",3)']);
  // By its moment alone, the change that was committed late is missing, and the next one tells.
  await expect(replayTo(client, ['things'], { ...base, xactSnapshot: null }, until)).rejects.toMatchObject({
    code: 'ConflictFound',
    message: expect.stringMatching(
      /^public\.backup_transaction_logs contradicts itself or the snapshot: public\.things, record 1: the UPDATE of .* changes a row that was not what it says\.$/,
    ),
  });
});

test('a row that two transactions changed, the younger one first, is followed by the sequence', async () => {
  await client.query(logTable('things'));
  const base = await takeBase(client, ['things']);
  const older = await session.open();
  await older.query('begin; select now()');
  await client.query(`update things set seat = 20 where id = 2`);
  await older.query(`update things set seat = seat + 1 where id = 2; commit`);
  const { faults } = await replayed(base);
  expect(faults).toEqual([]);
  expect(await staged()).toEqual(await rowsOf(client, 'things'));
  expect(await staged()).toContain('(2,"name 2",21)');
});

test('values that did not change stay as the snapshot has them, though JSON cannot say them', async () => {
  await client.query(`drop table things;
    create table things (id int primary key, name text, doc json, list int[], ratio float8, extra jsonb);
    insert into things values (1, 'a', '{"b":  1,   "a": 2}', '[0:1]={5,6}', '-0', 'null'); ${logTable('things')}`);
  const base = await takeBase(client, ['things']);
  await client.query(`update things set name = 'b'`);
  await replayed(base);
  expect(await staged()).toEqual(await rowsOf(client, 'things'));
  expect(await staged()).toEqual([`(1,b,"{""b"":  1,   ""a"": 2}","[0:1]={5,6}",-0,null)`]);
});

test('rows whose key changes again and again keep what earlier changes told', async () => {
  await client.query(`drop table backup_transaction_logs; drop function write_log;
    ${logSql({ counted: true, partial: true })}; ${logTable('things')}`);
  const base = await takeBase(client, ['things']);
  await client.query(`
    update things set name = 'moved' where id = 1; update things set id = 7 where id = 1;
    update things set seat = 70 where id = 7; update things set id = 1 where id = 2;
    update things set id = 2 where id = 7; update things set name = 'second' where id = 1;
    delete from things where id = 3; insert into things values (3, 'new', 30); update things set id = 7 where id = 3`);
  await replayed(base);
  expect(await staged()).toEqual(['(1,second,2)', '(2,moved,70)', '(7,new,30)']);
  expect(await staged()).toEqual(await rowsOf(client, 'things'));
});

test('a log that contradicts itself is refused, or has the last word where that is accepted', async () => {
  const base = await takeBase(client, ['things']);
  const row = (id: number, name: string) => ({ id, name, seat: id });
  await log(
    { op: 'UPDATE', record: '9', old: row(9, 'x'), new: row(9, 'nine') },
    { op: 'UPDATE', record: '8', new: { name: 'eight' } },
    { op: 'INSERT', record: '1', new: row(1, 'again') },
    { op: 'UPDATE', record: '2', old: row(2, 'unlike'), new: row(2, 'two') },
    { op: 'DELETE', record: '7' },
    { op: 'INSERT', record: '5', new: { id: 5, name: 'five' } },
  );
  await expect(replayed(base)).rejects.toMatchObject({
    code: 'ConflictFound',
    message: expect.stringContaining('record 9: the UPDATE of'),
    hint: expect.stringContaining('--accept-log-faults'),
  });
  // Nothing was done to the stage.
  expect(await staged()).toEqual(await rowsOf(client, 'things'));
  const { faults, changes, tables } = await replayed(base, { acceptFaults: true });
  expect(faults.map(({ fault, record, operation }) => `${record} ${operation} ${fault}`)).toEqual([
    '9 UPDATE missing',
    '8 UPDATE missing',
    '1 INSERT present',
    '2 UPDATE differs',
    '7 DELETE missing',
    '5 INSERT incomplete',
  ]);
  expect(changes).toMatchObject([{ inserts: 2, updates: 3, deletes: 1, faults: 6 }]);
  expect(await staged()).toEqual(['(1,again,1)', '(2,two,2)', '(3,"name 3",3)', '(5,five,)', '(9,nine,9)']);
  expect(tables[0]?.rows).toBe(5);
});

test('without a sequence, changes of one instant count where their images prove the order', async () => {
  await client.query(`drop table backup_transaction_logs; drop function write_log;
    ${logSql({ counted: false, partial: false })}; ${logTable('things')}`);
  const base = await takeBase(client, ['things']);
  await client.query(`begin; insert into things values (4, 'a', 1); update things set name = 'b' where id = 4;
    update things set name = 'a' where id = 4; update things set name = 'c' where id = 4;
    delete from things where id = 3; insert into things values (3, 'again', 0); commit`);
  await replayed(base);
  expect(await staged()).toEqual(await rowsOf(client, 'things'));

  const at = await now();
  await log(
    { op: 'UPDATE', record: '2', new: { seat: 5 }, at },
    { op: 'UPDATE', record: '2', new: { seat: 6 }, at },
  );
  await expect(replayed(base)).rejects.toMatchObject({
    code: 'ConflictFound',
    message: expect.stringContaining('record 2: the UPDATE of'),
  });
  const { faults } = await replayed(base, { acceptFaults: true });
  expect(faults.map(({ fault, record }) => `${record} ${fault}`)).toEqual(['2 unordered', '2 unordered']);
});

test('columns that the table does not have are refused, or left out and counted', async () => {
  const base = await takeBase(client, ['things']);
  await log({ op: 'INSERT', new: { id: 4, name: 'x', seat: 1, gone: 1 } });
  await expect(replayed(base)).rejects.toMatchObject({
    code: 'SchemaIncompatible',
    message: 'public.things: the log tells of a column "gone" that the table does not have.',
  });
  const { tables } = await replayed(base, { exact: false });
  expect(tables[0]?.dropped).toEqual(new Map([['gone', 1]]));
  expect(await staged()).toContain('(4,x,1)');
});

test('only the changes of the tenant count, and none that would bring a row of another', async () => {
  await client.query(`drop table things; create table things (id int, tenant_id uuid, name text, primary key (tenant_id, id));
    insert into things values (1, '${tenant}', 'a')`);
  const base = await takeBase(client, ['things']);
  const part = { column: 'tenant_id', value: tenant };
  const row = (tenant_id: string, id: number, name: string) => ({ id, tenant_id, name });
  await log(
    { tenant, op: 'UPDATE', old: row(tenant, 1, 'a'), new: row(tenant, 1, 'b') },
    { tenant: other, op: 'DELETE', old: row(tenant, 1, 'b') },
    { tenant: other, op: 'INSERT', new: row(other, 1, 'theirs') },
  );
  const { changes } = await replayed(base, { tenant: part });
  expect(changes).toMatchObject([{ inserts: 0, updates: 1, deletes: 0 }]);
  expect(await staged()).toEqual([`(1,${tenant},b)`]);
  await log({ tenant, op: 'INSERT', new: row(other, 2, 'theirs') });
  await expect(replayed(base, { tenant: part, acceptFaults: true })).rejects.toMatchObject({
    code: 'ConflictFound',
    message: 'public.things: public.backup_transaction_logs has rows of another tenant_id.',
  });
  expect(await staged()).toEqual([`(1,${tenant},a)`]);
  await expect(
    replayed(base, { tenant: { column: 'tenant_id', value: `${tenant}' or true --` } }),
  ).rejects.toMatchObject({ code: 'RowRejected' });
});

test.for<[string, Record<string, unknown>, string]>([
  [
    'a key that nothing tells',
    { op: 'UPDATE', old: { name: 'x' }, new: { name: 'y' } },
    'does not tell which row',
  ],
  ['an unknown operation', { op: 'MERGE', record: '1' }, 'does not tell which row'],
  ['an update to nothing', { op: 'UPDATE', record: '1' }, 'does not tell which row'],
  ['an insert of no object', { op: 'INSERT', record: '1', new: [1] }, 'does not tell which row'],
])('refuses an entry with %s', async ([, entry, message]) => {
  const base = await takeBase(client, ['things']);
  await log(entry);
  await expect(replayed(base, { acceptFaults: true })).rejects.toMatchObject({
    code: 'SchemaIncompatible',
    message: expect.stringContaining(message),
  });
});

test('the window lies between the snapshot and now, where the log is complete', async () => {
  const base = await takeBase(client, ['things']);
  const to = (until: string) => replayTo(client, ['things'], base, until);
  await expect(to('2999-01-01T00:00:00Z')).rejects.toMatchObject({
    code: 'InputInvalid',
    message: '--to: 2999-01-01T00:00:00Z has not come yet.',
  });
  await expect(to('2000-01-01T00:00:00Z')).rejects.toMatchObject({ code: 'InputInvalid' });
  expect((await replayed(base)).notices).toEqual([expect.stringContaining('begins with nothing')]);
  await client.query(
    `comment on table backup_transaction_logs is 'All changes; complete since 2020-01-01T00:00:00Z.'`,
  );
  await expect(replayed(base)).rejects.toMatchObject({ code: 'ConfigInvalid' });
  await client.query(
    `comment on table backup_transaction_logs is 'All changes, complete since 2020-01-01T00:00:00Z'`,
  );
  expect((await replayed(base)).notices).toEqual([]);
  await client.query(`comment on table backup_transaction_logs is 'complete since 2999-01-01T00:00:00Z'`);
  await expect(replayed(base)).rejects.toMatchObject({
    message: expect.stringContaining('is complete since 2999-01-01T00:00:00.000000Z only'),
  });
});

test('triggers of the documentation write such a log: truncated tables and rows that move to another tenant too', async () => {
  await client.query(`drop table backup_transaction_logs, things;
    create table things (id int primary key, tenant_id uuid, name text, at tstzrange);
    insert into things values (1, '${tenant}', 'a', '[2026-01-01,)'), (2, '${other}', 'b', null), (3, null, 'c', null);
    ${recipe(['public.things'])}`);
  const base = await takeBase(client, ['things']);
  await client.query(`set datestyle = 'German'; set timezone = 'Asia/Tokyo';
    update things set tenant_id = '${tenant}', at = '(,2026-02-03 04:05:06+00]' where id = 2;
    update things set tenant_id = '${other}' where id = 1; update things set name = 'd' where id = 3;
    set datestyle = 'ISO, YMD'; set timezone = 'UTC'`);
  const between = await now();
  await client.query(
    'create table kept as table things; truncate things; insert into things (id) values (4)',
  );
  const { notices } = await replayTo(client, ['things'], base, between);
  expect(notices).toEqual([]);
  expect(await staged()).toEqual(await rowsOf(client, 'kept'));
  await replayed(base);
  expect(await staged()).toEqual(['(4,,,)']);
  // Of one tenant alone, as a snapshot of its rows would have it.
  await client.query(`delete from base.things where tenant_id is distinct from '${other}'`);
  await replayTo(client, ['things'], base, between, { tenant: { column: 'tenant_id', value: other } });
  expect(await staged()).toEqual(await rowsOf(client, `(select * from kept where tenant_id = '${other}')`));
});

test('a restore of a snapshot ends what a log can say of its tables', async () => {
  await ensureSchema(client);
  const base = await takeBase(client, ['things']);
  const before = await now();
  await client.query(
    `insert into thaw.snapshot_restores (restore_id, source_kind, source_place, source_id, request, state, merged_at, merged)
     values ('one', 'stored', '', 's', '{}', 'completed', clock_timestamp(), $1)`,
    [
      JSON.stringify([
        { schema: 'public', table: 'things', inserted: 0, updated: 1, deleted: 0, unchanged: 2 },
      ]),
    ],
  );
  await expect(replayed(base, { acceptFaults: true })).rejects.toMatchObject({
    code: 'InputInvalid',
    message: expect.stringMatching(/^--to: restore one brought public\.things back to a snapshot at 2/),
  });
  await replayTo(client, ['things'], base, before);
  expect(await staged()).toHaveLength(3);
  await client.query(`delete from thaw.snapshot_restores`);
});

test('a table that is no log, has no key, or is the log itself is refused', async () => {
  const base = await takeBase(client, ['things', 'backup_transaction_logs']);
  const options = { log: { schema: 'public', table: 'things' } };
  await expect(replayed(base, options)).rejects.toMatchObject({
    code: 'SchemaIncompatible',
    message: 'public.things: it is no table of changes: it has no column table_name.',
  });
  await expect(replayed(base, { log: { schema: 'no', table: 'log' } })).rejects.toMatchObject({
    code: 'TargetMissing',
  });
  await expect(replayTo(client, ['backup_transaction_logs'], base, await now())).rejects.toMatchObject({
    code: 'InputInvalid',
  });
  await client.query('alter table things drop constraint things_pkey');
  await log({ op: 'DELETE', record: '1' });
  await expect(replayed(base)).rejects.toMatchObject({
    code: 'SchemaIncompatible',
    message: 'public.things: it has no key by which changes find their rows.',
  });
});
