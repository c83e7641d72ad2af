import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { thawHere } from './thaw-here.ts';

let database: TestDatabase;
let root: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  database = await createTestDatabase('order');
  const client = await database.client();
  await client.query(`
    create schema "Sales";
    create table regions (id int primary key);
    create table customers (id int primary key, region int references regions, best_order int);
    create table "Sales".orders (
      id int, day date, customer int references customers, previous_id int, previous_day date,
      primary key (id, day),
      constraint previous foreign key (previous_id, previous_day) references "Sales".orders deferrable
    ) partition by range (day);
    create table "Sales".orders_old partition of "Sales".orders for values from ('2020-01-01') to ('2025-01-01');
    create table "Sales".orders_new partition of "Sales".orders for values from ('2025-01-01') to ('2030-01-01')
      partition by list (id);
    create table "Sales".orders_new_1 partition of "Sales".orders_new default;
    alter table customers add best_day date,
      add constraint best foreign key (best_order, best_day) references "Sales".orders;
    create table audits (id int primary key, region int constraint audited references regions on delete cascade);
    create table notes (id int, order_id int, day date, foreign key (order_id, day) references "Sales".orders)`);
  root = await mkdtemp(join(tmpdir(), 'thaw-order-'));
  const config = join(root, 'config.yaml');
  const { host, port, user, password, name } = database;
  await writeFile(
    config,
    JSON.stringify({
      version: '1.0',
      s3: { bucket: 'none', region: 'us-east-1' },
      databases: [{ name, host, port, user, password, tables: [] }],
    }),
  );
  env = { THAW_CONFIG: config };
});

afterAll(async () => {
  await rm(root, { recursive: true });
  await database.drop();
});

it('tells parents first, circles, and keys to and of other tables', async () => {
  const { stdout, stderr, exitCode } = await thawHere(
    ['snapshot', 'order', '--table', 'notes', '--table', 'Sales.orders', '--table', 'customers'],
    env,
  );
  expect(stderr).toBe('');
  expect(stdout.trimEnd().split('\n')).toEqual([
    '1  Sales.orders, public.customers  (in a circle)',
    '2  public.notes',
    'Note: previous of Sales.orders refers to the table itself',
    'Note: customers_region_fkey of public.customers to public.regions, which is not among them',
  ]);
  expect(exitCode).toBe(0);
});

it('orders every table, and tells of those that refer to what was named', async () => {
  const all = await thawHere(['snapshot', 'order', '--json'], env);
  expect(JSON.parse(all.stdout)).toMatchObject({
    groups: [['public.regions'], ['Sales.orders', 'public.customers'], ['public.audits'], ['public.notes']],
    toOtherTables: [],
    ofOtherTables: [],
  });
  const one = await thawHere(['snapshot', 'order', '--json', '--table', 'regions'], env);
  expect(JSON.parse(one.stdout)).toEqual({
    groups: [['public.regions']],
    foreignKeys: [],
    toOtherTables: [],
    ofOtherTables: [
      { name: 'audited', table: 'public.audits', refersTo: 'public.regions', deferrable: false },
      {
        name: 'customers_region_fkey',
        table: 'public.customers',
        refersTo: 'public.regions',
        deferrable: false,
      },
    ],
  });
});

it('names a table that is not there', async () => {
  const { stderr, exitCode } = await thawHere(['snapshot', 'order', '--table', 'Customers'], env);
  expect(stderr).toContain('There is no table public.Customers');
  expect(exitCode).toBe(1);
});
