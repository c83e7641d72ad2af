import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../../src/postgres/transaction.ts';
import { mergeTables } from '../../../src/snapshot/merge/merge-tables.ts';
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
