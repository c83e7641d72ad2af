import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTarget, readTargets } from '../../src/postgres/catalog.ts';
import { analyzeTable, analyzeTables, dropIndexes } from '../../src/postgres/indexes.ts';
import { type BuildProgress, rebuildIndexes } from '../../src/postgres/rebuild-indexes.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('indexes');
  client = session.client;
  await ensureSchema(client);
});

afterAll(() => session.close());

/** Builds with sessions of its own, which have the search path of the one that asks. */
async function rebuild(
  asking: pg.Client,
  oid: number,
  onProgress: (progress: BuildProgress) => void = () => {},
): Promise<string[]> {
  const { rows } = await asking.query<{ path: string }>(`select current_setting('search_path') as path`);
  return rebuildIndexes(asking, oid, {
    onProgress,
    withBuilder: async (_, action) => {
      const builder = await session.open();
      await builder.query(`select set_config('search_path', $1, false)`, [rows[0]?.path]);
      return action(builder);
    },
  });
}

async function indexes(table: string): Promise<string[]> {
  const { rows } = await client.query<{ definition: string }>(
    `select pg_get_indexdef(indexrelid) || coalesce(' -- ' || obj_description(indexrelid, 'pg_class'), '') as definition
     from pg_index where indrelid = $1::regclass order by 1`,
    [table],
  );
  return rows.map(({ definition }) => definition);
}

test('drops what is plain, keeps the rest, and builds the same again, once', async () => {
  await client.query(`
    create schema "In side";
    create function shout(text) returns text immutable language sql as 'select upper($1)';
    create table "In side"."T" (
      id int primary key, a text, b jsonb, c int unique, d int not null,
      exclude (d with =) where (d > 0)
    );
    create index "My ""index""" on "In side"."T" (shout(a) desc nulls last) include (c)
      with (fillfactor = 70) where d > 1;
    comment on index "In side"."My ""index""" is 'it''s mine';
    create index by_json on "In side"."T" using gin (b jsonb_path_ops);
    create index identity on "In side"."T" (a);
    create index clustered on "In side"."T" (d);
    create unique index replica on "In side"."T" (d);
    alter table "In side"."T" replica identity using index replica;
    alter table "In side"."T" cluster on clustered;
    create index dependent on "In side"."T" ((d + 1));
    alter index "In side".dependent alter column 1 set statistics 500`);
  const before = await indexes('"In side"."T"');
  const target = await readTarget(client, 'In side', 'T');
  const { dropped, notices } = await dropIndexes(client, target, 'r1');
  expect(dropped).toEqual(['My "index"', 'by_json', 'identity']);
  expect(notices).toEqual([
    'Index clustered of In side.T stays: the table is clustered on it.',
    'Index dependent of In side.T stays: it has statistics targets of its own.',
  ]);
  expect(await indexes('"In side"."T"')).toHaveLength(before.length - 3);

  // Other sessions may have another search path, and come at the same time.
  const others = [await session.open(), await session.open()];
  for (const other of others) await other.query('set search_path = pg_temp');
  const rebuilt = await Promise.all(others.map((other) => rebuild(other, target.oid)));
  expect(rebuilt).toEqual([[], []]);
  expect(await indexes('"In side"."T"')).toEqual(before);
  expect(await rebuild(client, target.oid)).toEqual([]);
  const { rows } = await client.query('select from thaw.dropped_indexes where rebuilt_at is null');
  expect(rows).toEqual([]);
});

test('definitions are recorded or nothing is dropped', async () => {
  await client.query('create table atomic (a int); create index atomic_a on atomic (a)');
  const target = await readTarget(client, 'public', 'atomic');
  await client.query('alter table thaw.dropped_indexes add constraint refused check (restore_id <> $$no$$)');
  await expect(dropIndexes(client, target, 'no')).rejects.toMatchObject({ sqlstate: '23514' });
  await client.query('alter table thaw.dropped_indexes drop constraint refused');
  expect(await indexes('atomic')).toHaveLength(1);
});

test('dropped a second time, recorded a second time', async () => {
  const target = await readTarget(client, 'public', 'atomic');
  for (const restore of ['r1', 'r2']) {
    expect((await dropIndexes(client, target, restore)).dropped).toEqual(['atomic_a']);
    expect((await dropIndexes(client, target, restore)).dropped).toEqual([]);
    await rebuild(client, target.oid);
    expect(await indexes('atomic')).toHaveLength(1);
  }
});

test('what cannot be built stays recorded, and the others are built', async () => {
  await client.query(`
    create table broken (a int, b int); create index broken_a on broken (a); create index broken_b on broken (b)`);
  const target = await readTarget(client, 'public', 'broken');
  await dropIndexes(client, target, 'r1');
  await client.query('alter table broken drop column a');
  expect(await rebuild(client, target.oid)).toEqual([
    expect.stringContaining('run: CREATE INDEX broken_a ON public.broken USING btree (a)'),
  ]);
  expect(await indexes('broken')).toHaveLength(1);
  await client.query('alter table broken add column a int');
  expect(await rebuild(client, target.oid)).toEqual([]);
  expect(await indexes('broken')).toHaveLength(2);
});

test('several are built at a time, and it is told how far they are', async () => {
  await client.query(`
    create table many (a int, b int, c int, d int);
    insert into many values (1, 1, 1, 1);
    create function meet(value int) returns int immutable language sql as 'select value + 0';
    create index many_a on many (meet(a)); create index many_b on many (meet(b));
    create index many_c on many (c); create index many_d on many (d)`);
  const before = await indexes('many');
  const target = await readTarget(client, 'public', 'many');
  await dropIndexes(client, target, 'r1');
  await client.query(`
    create or replace function meet(value int) returns int immutable language plpgsql as $$
    begin
      perform pg_advisory_lock_shared(77);
      perform pg_advisory_unlock_shared(77);
      return value;
    end $$`);
  const gate = await session.open();
  await gate.query('select pg_advisory_lock(77)');
  const told: BuildProgress[] = [];
  const rebuilt = rebuild(client, target.oid, (progress) => {
    told.push(progress);
    const waiting = progress.building.filter((text) => /^many_[ab]: building index/.test(text));
    if (waiting.length === 2) void gate.query('select pg_advisory_unlock(77)');
  });

  expect(await rebuilt).toEqual([]);
  expect(told.at(-1)).toMatchObject({ total: 4, built: expect.any(Number) });
  expect(await indexes('many')).toEqual(before);
});

test('a table that is gone leaves nothing to build', async () => {
  await client.query('create table gone (a int); create index on gone (a)');
  const target = await readTarget(client, 'public', 'gone');
  await dropIndexes(client, target, 'r1');
  await client.query('drop table gone');
  expect(await rebuild(client, target.oid)).toEqual([]);
  const { rows } = await client.query('select from thaw.dropped_indexes where target_oid = $1', [target.oid]);
  expect(rows).toEqual([]);
});

test('partitioned tables, partitions, and tables of others keep theirs', async () => {
  const user = await session.makeUser();
  await client.query(`
    create table parts (a int) partition by list (a); create index on parts (a);
    create table parts_1 partition of parts for values in (1);
    create table others (a int); create index on others (a);
    grant insert on others to "${user}";
    create schema locked; create table locked.owned (a int); create index on locked.owned (a);
    alter table locked.owned owner to "${user}";
    grant usage on schema locked, thaw to "${user}";
    grant all on all tables in schema thaw to "${user}"`);
  const stranger = await session.open(user);
  const drop = async (table: string, as: pg.Client, schema = 'public') =>
    dropIndexes(as, await readTarget(as, schema, table), 'r1');
  expect(await drop('parts', client)).toMatchObject({
    dropped: [],
    notices: ['The indexes of public.parts stay: it is a partitioned table.'],
  });
  expect(await drop('parts_1', client)).toMatchObject({
    dropped: [],
    notices: [expect.stringContaining('it belongs to a partitioned index')],
  });
  expect(await drop('others', stranger)).toMatchObject({
    dropped: [],
    notices: [expect.stringContaining('only the owner')],
  });
  expect(await drop('owned', stranger, 'locked'), 'could not make it again').toMatchObject({
    dropped: [],
    notices: [expect.stringContaining('the right to create in the schema')],
  });
});

test('statistics are made, or it is said why not', async () => {
  const user = await session.makeUser();
  await client.query(`
    create table counted as select generate_series(1, 1000) as n;
    grant insert on counted to "${user}"`);
  const target = await readTarget(client, 'public', 'counted');
  expect(await analyzeTable(await session.open(user), target)).toEqual([expect.stringContaining('counted')]);
  expect(await analyzeTable(client, target)).toEqual([]);
  const { rows } = await client.query(`select reltuples from pg_class where relname = 'counted'`);
  expect(rows).toEqual([{ reltuples: 1000 }]);
  // Of many at once it is told of which one.
  await client.query(`
    create table owned_by_user as select generate_series(1, 50) as n;
    alter table owned_by_user owner to "${user}"`);
  const both = await readTargets(client, 'public', ['counted', 'owned_by_user']);
  const notices = await analyzeTables(await session.open(user), both);
  expect([...notices].map(([{ table }, said]) => [table, said])).toEqual([
    ['counted', [expect.stringContaining('counted')]],
  ]);
  const { rows: made } = await client.query(`select reltuples from pg_class where relname = 'owned_by_user'`);
  expect(made).toEqual([{ reltuples: 50 }]);
});
