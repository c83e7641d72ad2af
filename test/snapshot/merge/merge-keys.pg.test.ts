import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { StagedTable } from '../../../src/postgres/snapshot-differences.ts';
import { inTransaction } from '../../../src/postgres/transaction.ts';
import { mergeTables } from '../../../src/snapshot/merge/merge-tables.ts';
import { openSession, type Session } from '../../postgres/session.ts';
import { rowsOf, stagedTable } from './merge-site.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('merge_keys');
  client = session.client;
});
afterAll(() => session.close());

const names = ['regions', 'customers', 'orders'];

/** Customers and orders refer to each other; notes are not in the snapshot. */
beforeEach(() =>
  client.query(`
    drop schema public cascade;
    drop schema if exists stage cascade;
    create schema public;
    create schema stage;
    create table regions (id int primary key);
    create table customers (id int primary key, region int not null references regions on delete cascade, best int);
    create table orders (id int primary key, customer int not null references customers on delete restrict);
    alter table customers add constraint best foreign key (best) references orders;
    create table notes (id int primary key, customer int constraint noted references customers on delete set null);
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    create table stage.regions (like regions);
    create table stage.customers (like customers);
    create table stage.orders (like orders);
    insert into regions values (1), (2);
    insert into customers values (1, 1, null), (2, 2, null), (4, 1, null);
    insert into orders values (1, 1), (3, 4);
    update customers set best = 1 where id = 1;
    insert into notes values (1, 1);
    create trigger fires after insert or update or delete on customers execute function refuse();
    insert into stage.regions values (2), (3);
    insert into stage.customers values (1, 3, 2), (2, 2, 1);
    insert into stage.orders values (1, 2), (2, 1)`),
);

const keys = async () =>
  (
    await client.query(
      `select conname, conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by 1`,
    )
  ).rows;

async function merge(): Promise<string[]> {
  const tables: StagedTable[] = [];
  for (const name of names) tables.push(await stagedTable(client, name));
  const recorded: string[] = [];
  const record = async (taken: readonly { readonly name: string }[]) => {
    recorded.push(...taken.map(({ name }) => name));
  };
  await inTransaction(client, () => mergeTables(client, tables, { onKeysTaken: record }));
  return recorded;
}

test('rows in a circle, parents that go: every table is as in the snapshot, and no key does anything', async () => {
  const before = await keys();
  expect(await merge()).toEqual(['customers_region_fkey', 'noted', 'orders_customer_fkey']);
  for (const name of names) expect(await rowsOf(client, name)).toEqual(await rowsOf(client, `stage.${name}`));
  expect(await rowsOf(client, 'notes')).toEqual(['(1,1)']);
  expect(await keys()).toEqual(before);
});

test('a row of another table that would refer to nothing fails the whole, and is named', async () => {
  await client.query('insert into notes values (2, 4)');
  const before = [await keys(), await rowsOf(client, 'customers'), await rowsOf(client, 'orders')];
  await expect(merge()).rejects.toMatchObject({
    code: 'RowRejected',
    message: 'public.notes: rows with (id) = (2) break the foreign key noted to public.customers.',
  });
  expect([await keys(), await rowsOf(client, 'customers'), await rowsOf(client, 'orders')]).toEqual(before);
});

test('no key is taken off where nothing differs', async () => {
  await merge();
  expect(await merge()).toEqual([]);
});
