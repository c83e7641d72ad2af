import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTarget } from '../../src/postgres/catalog.ts';
import { analyzeTable, dropIndexes, rebuildIndexes } from '../../src/postgres/indexes.ts';
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
  const rebuilt = await Promise.all(others.map((other) => rebuildIndexes(other, target.oid)));
  expect(rebuilt).toEqual([[], []]);
  expect(await indexes('"In side"."T"')).toEqual(before);
  expect(await rebuildIndexes(client, target.oid)).toEqual([]);
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
    await rebuildIndexes(client, target.oid);
    expect(await indexes('atomic')).toHaveLength(1);
  }
});

test('what cannot be built stays recorded, and the others are built', async () => {
  await client.query(`
    create table broken (a int, b int); create index broken_a on broken (a); create index broken_b on broken (b)`);
  const target = await readTarget(client, 'public', 'broken');
  await dropIndexes(client, target, 'r1');
  await client.query('alter table broken drop column a');
  expect(await rebuildIndexes(client, target.oid)).toEqual([
    expect.stringContaining('run: CREATE INDEX broken_a ON public.broken USING btree (a)'),
  ]);
  expect(await indexes('broken')).toHaveLength(1);
  await client.query('alter table broken add column a int');
  expect(await rebuildIndexes(client, target.oid)).toEqual([]);
  expect(await indexes('broken')).toHaveLength(2);
});

test('a table that is gone leaves nothing to build', async () => {
  await client.query('create table gone (a int); create index on gone (a)');
  const target = await readTarget(client, 'public', 'gone');
  await dropIndexes(client, target, 'r1');
  await client.query('drop table gone');
  expect(await rebuildIndexes(client, target.oid)).toEqual([]);
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
    grant usage on schema thaw to "${user}";
    grant all on all tables in schema thaw to "${user}"`);
  const stranger = await session.open(user);
  const drop = async (table: string, as: pg.Client) =>
    dropIndexes(as, await readTarget(as, 'public', table), 'r1');
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
});
