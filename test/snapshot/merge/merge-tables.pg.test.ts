import { Readable } from 'node:stream';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../../src/postgres/transaction.ts';
import { differenceLine, readMarked } from '../../../src/snapshot/merge/marked-differences.ts';
import { mergeTables } from '../../../src/snapshot/merge/merge-tables.ts';
import { diffTables, previewTables } from '../../../src/snapshot/merge/preview-tables.ts';
import { openSession, type Session } from '../../postgres/session.ts';
import { rowsOf, stagedTable } from './merge-site.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('snapshot_merge');
  client = session.client;
});
afterAll(() => session.close());
beforeEach(() =>
  client.query(
    'drop schema public cascade; create schema public; drop schema if exists stage cascade; create schema stage',
  ),
);

test('values swapped in a unique index come back, and columns that the snapshot lacks stay', async () => {
  await client.query(`
    create table places (
      id int primary key, seat text unique, note text, later text default 'new',
      number int generated always as identity, twice int generated always as (id * 2) stored
    );
    create table stage.places (id int, seat text, note text, number int);
    insert into stage.places values (1, 'a', 'x', 1), (2, 'b', null, 2), (3, 'c', 'same', 3), (5, 'e', 'gone', 9);
    insert into places (id, seat, note, later, number) overriding system value
      values (1, 'b', 'x', 'kept 1', 1), (2, 'a', null, 'kept 2', 7), (3, 'c', 'other', 'kept 3', 3), (4, 'e', '', '', 4)`);
  const tables = [await stagedTable(client, 'places')];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toEqual([
    { schema: 'public', table: 'places', inserted: 1, updated: 3, deleted: 1, unchanged: 0 },
  ]);
  expect(await rowsOf(client, 'places')).toEqual([
    '(1,a,x,"kept 1",1,2)',
    '(2,b,,"kept 2",2,4)',
    '(3,c,same,"kept 3",3,6)',
    '(5,e,gone,new,9,10)',
  ]);
});

test('only rows of the tenant change, whatever its value says', async () => {
  await client.query(`
    create table notes (tenant text, id int, note text, primary key (tenant, id));
    create table stage.notes (like notes);
    insert into notes values ('a', 1, 'old'), ('a', 2, 'old'), ('b', 1, 'b'), ($$' or true --$$, 1, 'h');
    insert into stage.notes values ('a', 1, 'new')`);
  const merge = async (value: string) => {
    const tables = [await stagedTable(client, 'notes', { tenant: { column: 'tenant', value } })];
    return inTransaction(client, () => mergeTables(client, tables));
  };
  await expect(merge("' or true --")).rejects.toMatchObject({ code: 'ConflictFound' });
  expect(await merge('a')).toEqual([
    { schema: 'public', table: 'notes', inserted: 0, updated: 1, deleted: 1, unchanged: 0 },
  ]);
  await client.query('truncate stage.notes');
  expect(await merge("' or true --")).toEqual([
    { schema: 'public', table: 'notes', inserted: 0, updated: 0, deleted: 1, unchanged: 0 },
  ]);
  expect(await rowsOf(client, 'notes')).toEqual(['(a,1,new)', '(b,1,b)']);
});

test.each([
  ['varchar(3)', 'abc', 'abcd'],
  ['cut', 'abc', 'abcd'],
  ['name', 'n'.repeat(63), 'n'.repeat(64)],
  ['"char"', 'a', 'abcd'],
])('a value that is too long for a column of type %s is no tenant', async (type, there, value) => {
  await client.query(`
    create domain cut as varchar(3);
    create table notes (id int primary key, tenant ${type});
    create table stage.notes (like notes);
    insert into notes values (1, '${there}')`);
  const tables = [await stagedTable(client, 'notes', { tenant: { column: 'tenant', value } })];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toMatchObject([{ deleted: 0 }]);
  expect(await rowsOf(client, 'notes')).toEqual([`(1,${there})`]);
});

test('a row of another tenant that has the key is left as it is, and fails the whole', async () => {
  await client.query(`
    create table notes (id int primary key, tenant text, note text);
    create table stage.notes (like notes);
    insert into notes values (1, 'a', 'old'), (2, 'b', 'theirs');
    insert into stage.notes values (1, 'a', 'new'), (2, 'a', 'taken')`);
  const tables = [await stagedTable(client, 'notes', { tenant: { column: 'tenant', value: 'a' } })];
  await expect(inTransaction(client, () => mergeTables(client, tables))).rejects.toMatchObject({
    code: 'ConflictFound',
    object: 'public.notes',
  });
  expect(await rowsOf(client, 'notes')).toEqual(['(1,a,old)', '(2,b,theirs)']);
});

test('a table without a key by how often it has each row, partitioned ones too', async () => {
  await client.query(`
    create table log (day date, what json) partition by range (day);
    create table log_1 partition of log for values from ('2026-01-01') to ('2026-02-01');
    create table log_2 partition of log for values from ('2026-02-01') to ('2026-03-01');
    create table stage.log (day date, what json);
    insert into stage.log values ('2026-01-01', '1'), ('2026-01-01', '1'), ('2026-02-01', null), ('2026-02-02', '{}');
    insert into log values ('2026-01-01', '1'), ('2026-02-01', null), ('2026-02-01', null), ('2026-01-02', '3')`);
  const tables = [await stagedTable(client, 'log')];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toEqual([
    { schema: 'public', table: 'log', inserted: 2, updated: 0, deleted: 2, unchanged: 2 },
  ]);
  expect(await rowsOf(client, 'log')).toEqual(await rowsOf(client, 'stage.log'));
});

test('triggers do not fire, and each is as it was', async () => {
  await client.query(`
    create table items (id int primary key, note text);
    create table stage.items (like items);
    insert into items values (1, 'a'), (2, 'b');
    insert into stage.items values (2, 'B'), (3, 'c');
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    create trigger ordinary after insert or update on items execute function refuse();
    create trigger always before delete on items for each row execute function refuse();
    create trigger off before delete on items for each row execute function refuse();
    alter table items enable always trigger always, disable trigger off`);
  const states = 'select tgname, tgenabled from pg_trigger where not tgisinternal order by 1';
  const before = (await client.query(states)).rows;
  const tables = [await stagedTable(client, 'items')];
  await inTransaction(client, () => mergeTables(client, tables));
  expect(await rowsOf(client, 'items')).toEqual(['(2,B)', '(3,c)']);
  expect((await client.query(states)).rows).toEqual(before);
});

test('a table that a rule keeps from becoming what it should is not committed', async () => {
  await client.query(`
    create table items (id int primary key);
    create rule kept as on delete to items do instead nothing;
    create table stage.items (like items);
    insert into items values (1), (2);
    insert into stage.items values (2), (3)`);
  const tables = [await stagedTable(client, 'items')];
  await expect(inTransaction(client, () => mergeTables(client, tables))).rejects.toMatchObject({
    code: 'VerificationFailed',
  });
  expect(await rowsOf(client, 'items')).toEqual(['(1)', '(2)']);
});

test('the newer row wins; a tie, a NULL and what only the table has stay', async () => {
  await client.query(`
    create table items (id int primary key, seat int unique, at timestamptz);
    create table stage.items (like items);
    insert into items values (1, 1, '2026-01-01'), (2, 2, '2026-01-03'), (3, 3, null), (4, 4, '2026-01-01'),
      (5, 5, '2026-01-01'), (6, 6, '2026-01-01'), (7, 7, '2026-01-01');
    insert into stage.items values (1, 11, '2026-01-02'), (2, 12, '2026-01-02'), (3, 13, '2026-01-02'),
      (4, 14, '2026-01-01'), (5, 6, '2026-01-02'), (6, 5, '2026-01-02'), (8, 18, null)`);
  const tables = [await stagedTable(client, 'items', { newerBy: 'at' })];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toEqual([
    { schema: 'public', table: 'items', inserted: 1, updated: 3, deleted: 0, unchanged: 3 },
  ]);
  const { rows } = await client.query('select array_agg(seat order by id) as seats from items');
  expect(rows).toEqual([{ seats: [11, 2, 3, 4, 6, 5, 7, 18] }]);
});

test('a preview tells each difference and changes nothing; its token holds until a row changes', async () => {
  await client.query(`
    create table items (id int primary key, seat int unique, fine boolean, code char(3));
    create table stage.items (like items);
    insert into items values (1, 1, true, 'a'), (2, 2, true, 'b'), (3, 3, null, 'c');
    insert into stage.items values (1, 2, true, 'a'), (2, 1, true, 'b'), (4, null, false, 'd')`);
  const tables = [await stagedTable(client, 'items')];
  const counts = { schema: 'public', table: 'items', inserted: 1, updated: 2, deleted: 1, unchanged: 0 };
  const keysOnly = await previewTables(client, tables, { samples: 1 });
  expect(keysOnly.tables).toEqual([
    {
      ...counts,
      samples: [
        { kind: 'delete', key: { id: '3' } },
        { kind: 'insert', key: { id: '4' } },
        { kind: 'update', key: { id: '1' } },
      ],
    },
  ]);
  const { tables: previews, ifUnchanged } = await previewTables(client, tables, { values: true });
  expect(previews[0]?.samples.slice(0, 2)).toEqual([
    {
      kind: 'delete',
      key: { id: '3' },
      before: { id: '3', seat: '3', fine: null, code: 'c  ' },
      after: null,
    },
    {
      kind: 'insert',
      key: { id: '4' },
      before: null,
      after: { id: '4', seat: null, fine: 'f', code: 'd  ' },
    },
  ]);
  expect(await rowsOf(client, 'items')).toEqual(['(1,1,t,"a  ")', '(2,2,t,"b  ")', '(3,3,,"c  ")']);
  const merge = () => inTransaction(client, () => mergeTables(client, tables, { ifUnchanged }));
  await client.query("update items set code = 'x' where id = 1");
  await expect(merge()).rejects.toMatchObject({ code: 'ConflictFound' });
  await client.query("update items set code = 'a' where id = 1");
  expect(await merge()).toEqual([counts]);
  expect(await rowsOf(client, 'items')).toEqual(await rowsOf(client, 'stage.items'));
});

test('marked differences alone are taken, and none when one of them has changed', async () => {
  await client.query(`
    create table items (id int primary key, note text);
    create table stage.items (like items);
    insert into items values (1, 'a'), (2, 'b'), (3, 'c'), (5, 'e');
    insert into stage.items values (1, 'A'), (2, E'\\u2028"B'), (4, null), (5, 'e')`);
  const tables = [await stagedTable(client, 'items')];
  let text = '';
  await diffTables(client, tables, async (differences) => {
    for (const difference of differences) text += differenceLine(difference);
  });
  const mark = (...ids: number[]) =>
    text
      .split('\n')
      .map((line) =>
        ids.some((id) => line.includes(`"key":{"id":"${id}"}`))
          ? line.replace('"take":false', '"take":true')
          : line,
      )
      .join('\n');
  const merge = (marked: string) => {
    const chosen = readMarked(Readable.from([Buffer.from(marked)]));
    return inTransaction(client, () => mergeTables(client, tables, { chosen }));
  };
  expect(await merge(mark(2, 3))).toEqual([
    { schema: 'public', table: 'items', inserted: 0, updated: 1, deleted: 1, unchanged: 3 },
  ]);
  expect(await rowsOf(client, 'items')).toEqual(['(1,a)', '(2,"\u2028""B")', '(5,e)']);
  await client.query("update items set note = 'later' where id = 1");
  await expect(merge(mark(1, 4))).rejects.toMatchObject({ code: 'ConflictFound' });
  await expect(merge(mark(3))).rejects.toMatchObject({ code: 'ConflictFound' });
  await expect(merge(`${mark(4)}{"take": true}`)).rejects.toMatchObject({ code: 'InputInvalid', line: 5 });
  await merge(mark(4));
  expect(await rowsOf(client, 'items')).toEqual(['(1,later)', '(2,"\u2028""B")', '(4,)', '(5,e)']);
});

test('a table of which a user may not see all rows is refused', async () => {
  await client.query(`
    create table items (id int primary key);
    alter table items enable row level security;
    create table stage.items (like items)`);
  const user = await session.makeUser();
  await client.query(`
    grant usage on schema public, stage to "${user}"; grant all on all tables in schema public, stage to "${user}"`);
  const other = await session.open(user);
  const tables = [await stagedTable(other, 'items')];
  await expect(previewTables(other, tables)).rejects.toMatchObject({ code: 'PermissionDenied' });
  await expect(inTransaction(other, () => mergeTables(other, tables))).rejects.toMatchObject({
    code: 'PermissionDenied',
  });
});

test('only the owner of a table keeps its triggers from firing', async () => {
  await client.query(`
    create table items (id int primary key);
    create table stage.items (like items);
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    create trigger never before delete on items for each row execute function refuse();`);
  const user = await session.makeUser();
  await client.query(`
    grant usage on schema public, stage to "${user}"; grant all on all tables in schema public, stage to "${user}"`);
  const other = await session.open(user);
  const tables = [await stagedTable(other, 'items')];
  await expect(inTransaction(other, () => mergeTables(other, tables))).rejects.toMatchObject({
    code: 'PermissionDenied',
    hint: 'Restore as the owner of the table, or disable its triggers meanwhile.',
  });
});
