import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readForeignKeys } from '../../src/postgres/foreign-keys.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('foreign_keys');
  client = session.client;
});

afterAll(() => session.close());

const named = (table: string, schema = 'public') => ({ schema, table });

test('among the given tables only, not of a table to itself', async () => {
  await client.query(`
    create schema "Other";
    create table "Other".customers (id int primary key);
    create table orders (
      id int primary key,
      customer int constraint "placed by" references "Other".customers deferrable,
      previous int references orders
    );
    create table items (order_id int references orders, product int)`);
  const keys = await readForeignKeys(client, [
    named('items'),
    named('orders'),
    named('customers', 'Other'),
    named('not there'),
  ]);
  expect(keys).toEqual([
    { name: 'items_order_id_fkey', child: named('items'), parent: named('orders'), deferrable: false },
    {
      name: 'placed by',
      child: named('orders'),
      parent: named('customers', 'Other'),
      deferrable: true,
    },
  ]);
  expect(await readForeignKeys(client, [named('items'), named('customers', 'Other')])).toEqual([]);
});

test('a key between partitioned tables is one, whether roots or partitions are given', async () => {
  await client.query(`
    create table days (day date primary key) partition by range (day);
    create table days_1 partition of days for values from ('2026-01-01') to ('2026-02-01');
    create table days_2 partition of days for values from ('2026-02-01') to ('2026-03-01');
    create table visits (id int, day date references days) partition by list (id);
    create table visits_1 partition of visits for values in (1);
    create table visits_2 partition of visits for values in (2)`);
  const links = async (...tables: string[]) =>
    (
      await readForeignKeys(
        client,
        tables.map((table) => named(table)),
      )
    ).map(({ child, parent }) => `${child.table} -> ${parent.table}`);
  expect(await links('visits', 'days')).toEqual(['visits -> days']);
  expect(await links('visits_1', 'days')).toEqual(['visits_1 -> days']);
  expect(await links('visits', 'days_2')).toEqual(['visits -> days_2']);
  expect(await links('visits', 'visits_1')).toEqual([]);
});

test('a key of one partition holds for the whole table', async () => {
  await client.query(`
    create table places (id int primary key);
    create table stays (id int, place int) partition by list (id);
    create table stays_1 partition of stays for values in (1);
    alter table stays_1 add constraint only_here foreign key (place) references places`);
  expect(await readForeignKeys(client, [named('stays'), named('places')])).toEqual([
    { name: 'only_here', child: named('stays'), parent: named('places'), deferrable: false },
  ]);
});
