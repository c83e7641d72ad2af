import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { forgetKeys, lookAfterKeys, recordKeys } from '../../src/postgres/key-records.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { findTables } from '../../src/postgres/snapshot-foreign-keys.ts';
import { holdForeignKeys, planForeignKeys, putBackForeignKeys } from '../../src/snapshot/order/held-keys.ts';
import { planLocks } from '../../src/snapshot/order/key-plan.ts';
import { openSession, type Session } from '../postgres/session.ts';

let session: Session;
/** The owner of the tables, without other rights. */
let owner: pg.Client;
let user: string;

/** Parents first; what is not among them is `Notes`, which refers to orders. */
const names = ['regions', 'customers', 'orders', 'items', 'a', 'b', 'legacy', 'days', 'visits', 'dogs'];

const tablesSql = `
  create schema "Other Place";
  create table regions (id int primary key);
  create table customers (
    id int primary key,
    region int constraint fk references regions on delete cascade on update cascade,
    referrer int constraint self references customers on delete set null
  );
  create table orders (
    tenant int, id int, customer int not null references customers on delete restrict, primary key (tenant, id)
  );
  create table items (
    id int primary key, tenant int, order_id int,
    constraint items_order foreign key (tenant, order_id) references orders match full
  );
  create table "Other Place"."Notes" (
    "Id" int primary key, tenant int, order_id int,
    constraint "it's here" foreign key (tenant, order_id) references orders on delete set null (order_id)
  );
  comment on constraint "it's here" on "Other Place"."Notes" is 'it''s commented';
  create table b (id int primary key, a int);
  create table a (id int primary key, b int constraint fk references b deferrable);
  alter table b add constraint late foreign key (a) references a deferrable initially deferred;
  alter table a add constraint twice foreign key (b) references b;
  comment on constraint twice on a is 'stays';
  create table legacy (id int primary key, region int);
  insert into legacy values (1, 99), (2, 1);
  alter table legacy add constraint legacy_region foreign key (region) references regions on delete cascade not valid;
  create table days (day date primary key) partition by range (day);
  create table days_1 partition of days for values from ('2026-01-01') to ('2026-02-01');
  create table days_2 partition of days for values from ('2026-02-01') to ('2026-03-01');
  create table visits (id int, day date, seen date) partition by list (id);
  create table visits_1 partition of visits for values in (1);
  create table visits_2 partition of visits default partition by list (id);
  create table visits_2_all partition of visits_2 default;
  alter table visits_1 add constraint own_name foreign key (day) references days on delete cascade;
  alter table visits add constraint visits_day foreign key (day) references days on delete cascade,
    add constraint visits_seen foreign key (seen) references days;
  comment on constraint own_name on visits_1 is 'of a partition';
  create table animals (id int primary key, region int);
  create table dogs (primary key (id)) inherits (animals);
  alter table dogs alter region set default 2,
    add constraint dogs_region foreign key (region) references regions on delete set default deferrable`;

const rowsSql = `
  delete from "Other Place"."Notes";
  delete from visits; delete from days; delete from dogs; delete from legacy;
  delete from items; delete from orders; delete from customers; delete from regions;
  begin;
  delete from a; delete from b;
  insert into b values (1, 1); insert into a values (1, 1);
  commit;
  insert into regions values (1), (2);
  insert into customers select id, 1, 1 from generate_series(1, 8) as id;
  insert into orders values (1, 1, 1), (1, 2, 2);
  insert into items values (1, 1, 1), (2, null, null);
  insert into "Other Place"."Notes" values (1, 1, 2);
  insert into legacy values (2, 1);
  alter table legacy disable trigger all;
  insert into legacy values (1, 99);
  alter table legacy enable trigger all;
  insert into days values ('2026-01-05'), ('2026-02-05');
  insert into visits values (1, '2026-01-05', '2026-02-05'), (7, '2026-02-05', '2026-01-05');
  insert into dogs values (1, 1)`;

beforeAll(async () => {
  session = await openSession('held_keys');
  await ensureSchema(session.client);
  user = await session.makeUser();
  await session.client.query(`
    do $$ begin execute format('grant create on database %I to %I', current_database(), '${user}'); end $$;
    grant create on schema public to "${user}"`);
  owner = await session.open(user);
  await owner.query(tablesSql);
});

beforeEach(async () => {
  // What a test that failed has left open would have this one wait for its locks.
  await owner.query('rollback');
  await session.client.query(rowsSql);
});

afterAll(() => session.close());

const find = (...tables: readonly string[]) =>
  findTables(
    owner,
    tables.map((table) => ({ schema: 'public', table })),
  );

/** All that the catalog has of foreign keys and their triggers, but the oids of these. */
async function catalog(): Promise<unknown> {
  const { rows: keys } = await session.client.query(`
    select k.conrelid::regclass::text as table, k.confrelid::regclass::text as parent, pg_get_constraintdef(k.oid) as definition,
      to_jsonb(k) - 'oid' - 'conparentid' as row, up.conname as above, up.conrelid::regclass::text as above_of,
      obj_description(k.oid, 'pg_constraint') as comment
    from pg_constraint k left join pg_constraint up on up.oid = k.conparentid
    where k.contype = 'f' order by 1, k.conname, 2`);
  const { rows: triggers } = await session.client.query(`
    select g.tgrelid::regclass::text as table, k.conrelid::regclass::text as of, k.conname, g.tgfoid::regproc::text as function,
      g.tgenabled, g.tgdeferrable, g.tginitdeferred, g.tgconstrrelid::regclass::text as other, g.tgparentid <> 0 as inherited
    from pg_trigger g join pg_constraint k on k.oid = g.tgconstraint
    order by 1, 2, 3, 4, 8`);
  return { keys, triggers };
}

async function rowsOf(client: pg.Client): Promise<unknown> {
  const tables = [...names, '"Other Place"."Notes"'];
  const { rows } = await client.query(
    tables
      .map(
        (table) =>
          `select '${table}' as table, (select json_agg(t order by t::text) from ${table} as t) as rows`,
      )
      .join(' union all '),
  );
  return rows;
}

it('lets rows be written in any order, does nothing to any, and leaves every key as it was', async () => {
  const [keys, rows] = [await catalog(), await rowsOf(owner)];
  const recorded: string[] = [];
  await owner.query('begin');
  const held = await holdForeignKeys(owner, await find(...names), async (taken) => {
    recorded.push(...taken.map(({ name, child }) => `${child.table}.${name}`));
  });
  expect(recorded).toEqual([
    "Notes.it's here",
    'customers.fk',
    'customers.self',
    'dogs.dogs_region',
    'legacy.legacy_region',
    'orders.orders_customer_fkey',
    'visits.visits_day',
  ]);
  expect(held.planned.map(({ key, hold }) => `${key.child.table}.${key.name} ${hold}`)).toEqual(
    expect.arrayContaining([
      'a.fk deferred',
      'a.twice made deferrable',
      'b.late deferred',
      'items.items_order made deferrable',
      'visits.visits_seen made deferrable',
    ]),
  );
  for (const name of names) {
    await owner.query(`create temporary table "kept_${name}" on commit drop as table ${name}`);
    await owner.query(`delete from ${name}`);
  }
  expect(await owner.query('select * from "Other Place"."Notes" where order_id is not null')).toHaveProperty(
    'rowCount',
    1,
  );
  for (const name of names.toReversed()) {
    await owner.query(`insert into ${name} table "kept_${name}"`);
  }
  await putBackForeignKeys(owner, held);
  await owner.query('commit');
  expect(await rowsOf(owner)).toEqual(rows);
  expect(await catalog()).toEqual(keys);
});

const broken: readonly (readonly [what: string, tables: readonly string[], sql: string, says: string])[] = [
  [
    'a key that is taken off',
    ['regions'],
    'delete from regions where id = 1',
    'public.customers: rows with (id) = (1), (2), (3), (4), (5) and more break the foreign key fk to public.regions; ' +
      'public.dogs: rows with (id) = (1) break the foreign key dogs_region to public.regions; ' +
      'public.legacy: rows with (region) = (1) break the foreign key legacy_region to public.regions.',
  ],
  [
    'a key of a table that is not merged',
    ['orders'],
    'delete from orders where id = 2',
    "Other Place.Notes: rows with (Id) = (1) break the foreign key it's here to public.orders.",
  ],
  [
    'both keys of one column',
    ['b'],
    'delete from b',
    'public.a: rows with (id) = (1) break the foreign key fk to public.b; ' +
      'public.a: rows with (id) = (1) break the foreign key twice to public.b.',
  ],
  [
    'match full',
    ['items'],
    'insert into items values (3, 1, 7), (4, null, 1), (5, null, null)',
    'public.items: rows with (id) = (3), (4) break the foreign key items_order to public.orders.',
  ],
  [
    'a key that is not valid, beyond what broke it before',
    ['legacy', 'regions'],
    'insert into legacy values (3, 99), (4, 77), (5, null)',
    'public.legacy: rows with (region) = (77), (99) break the foreign key legacy_region to public.regions.',
  ],
  [
    'partitions, of a table without primary key',
    ['visits'],
    `insert into visits values (9, '2026-01-09', null)`,
    'public.visits: rows with (day) = (2026-01-09) break the foreign key visits_day to public.days.',
  ],
];

it.each(broken)('names rows that break %s', async (_, tables, sql, says) => {
  const [keys, rows] = [await catalog(), await rowsOf(owner)];
  await owner.query('begin');
  try {
    const held = await holdForeignKeys(owner, await find(...tables), async () => undefined);
    await owner.query(sql);
    await expect(putBackForeignKeys(owner, held)).rejects.toMatchObject({
      code: 'RowRejected',
      message: says,
    });
  } finally {
    await owner.query('rollback');
  }
  expect(await rowsOf(owner)).toEqual(rows);
  expect(await catalog()).toEqual(keys);
});

it('takes the locks that were planned, and no others that keep readers waiting', async () => {
  for (const tables of [['orders'], ['items'], ['days', 'visits'], ['b']]) {
    const found = await find(...tables);
    const planned = planLocks(found, await planForeignKeys(owner, found));
    await owner.query('begin');
    const held = await holdForeignKeys(owner, found, async () => undefined);
    await putBackForeignKeys(owner, held);
    const { rows } = await owner.query<{ readonly table: string }>(`
      select distinct c.relname as table from pg_locks l join pg_class c on c.oid = l.relation
      where l.pid = pg_backend_pid() and l.mode = 'AccessExclusiveLock' and c.relkind in ('r', 'p')
        and not c.relispartition and c.relpersistence = 'p'`);
    await owner.query('rollback');
    const waited = planned.filter(({ lock }) => lock === 'access exclusive').map(({ table }) => table.table);
    expect(rows.map(({ table }) => table).toSorted()).toEqual(waited.toSorted());
  }
  const orders = await find('orders');
  const named = (table: string, schema = 'public') => ({ schema, table });
  const exclusive = (table: object, why: string) => ({ table, lock: 'access exclusive', why });
  expect(planLocks(orders, await planForeignKeys(owner, orders))).toEqual([
    exclusive(named('Notes', 'Other Place'), "its foreign key it's here is taken off"),
    exclusive(named('items'), 'its foreign key items_order is made deferrable'),
    exclusive(named('orders'), "the foreign key it's here of Other Place.Notes is taken off"),
  ]);
  const b = await find('b');
  expect(planLocks(b, await planForeignKeys(owner, b))).toEqual([
    exclusive(named('a'), 'its foreign key twice is made deferrable'),
    { table: named('b'), lock: 'share row exclusive', why: 'rows are merged into it' },
  ]);
});

it('takes a key off whose rows are so many that looking at each takes longer than at all, and no other', async () => {
  const keys = await catalog();
  const found = await find('a', 'b');
  const result = (inserted: number) => ({
    ...{ schema: 'public', table: '', inserted, updated: 0, deleted: 0, unchanged: 0 },
  });
  const holds = async (...inserted: [a: number, b: number]) => {
    const plan = await planForeignKeys(owner, found, inserted.map(result));
    return Object.fromEntries(plan.map(({ key, hold }) => [key.name, hold]));
  };
  const deferred = { fk: 'deferred', late: 'deferred' };
  expect(await holds(9_000, 9_000)).toEqual({ ...deferred, twice: 'made deferrable' });
  // Both tables are shut by one of them, so that the others may be taken off as well.
  expect(await holds(11_000, 11_000)).toEqual({ fk: 'taken off', late: 'taken off', twice: 'taken off' });
  expect(await holds(9_000, 11_000)).toEqual({ ...deferred, twice: 'made deferrable' });
  await owner.query('begin');
  const changes = found.map(() => result(11_000));
  const held = await holdForeignKeys(owner, found, async () => undefined, changes);
  expect(held.taken.map(({ name }) => name).toSorted()).toEqual(['fk', 'late', 'twice']);
  await putBackForeignKeys(owner, held);
  await owner.query('commit');
  expect(await catalog()).toEqual(keys);
});

it('has every key back after a crash, and looks after what was recorded', async () => {
  const keys = await catalog();
  const admin = session.client;
  const dying = await session.open();
  await dying.query('begin');
  await holdForeignKeys(dying, await find('orders', 'regions'), (taken) => recordKeys(admin, 'r1', taken));
  const { rows: backend } = await dying.query<{ readonly pid: number }>('select pg_backend_pid() as pid');
  await admin.query('select pg_terminate_backend($1, 20000)', [backend[0]?.pid]);
  expect(await catalog()).toEqual(keys);

  // As nothing of Thaw would do it.
  await admin.query('alter table "Other Place"."Notes" drop constraint "it\'s here"');
  expect(await lookAfterKeys(admin, 'another')).toEqual({ putBack: [], missing: [] });
  expect(await lookAfterKeys(admin, null)).toEqual({
    putBack: ["it's here of Other Place.Notes"],
    missing: [],
  });
  expect(await catalog()).toEqual(keys);
  const recorded = async () => (await admin.query('select from thaw.snapshot_foreign_keys')).rowCount;
  expect(await recorded()).toBe(0);

  const live = await session.open();
  const merge = async (end: 'commit' | 'rollback', forget: boolean) => {
    await live.query('begin');
    const held = await holdForeignKeys(live, await find('regions'), (taken) =>
      recordKeys(admin, 'r2', taken),
    );
    await putBackForeignKeys(live, held);
    if (forget) await forgetKeys(live, 'r2');
    await live.query(end);
    return recorded();
  };
  // Forgotten only with the commit that has put them back.
  expect([await merge('rollback', true), await merge('commit', true), await merge('commit', false)]).toEqual([
    3, 0, 3,
  ]);
  await admin.query('alter table dogs drop constraint dogs_region; insert into dogs values (2, 55)');
  expect(await lookAfterKeys(admin, 'r2')).toEqual({
    putBack: [],
    missing: [
      {
        key: 'dogs_region of public.dogs',
        message: expect.stringContaining('a row refers to one that is not there'),
        statements: [expect.stringContaining('add constraint "dogs_region"')],
      },
    ],
  });
  expect(await recorded()).toBe(1);
  await admin.query('delete from dogs where id = 2');
  expect(await lookAfterKeys(admin, 'r2')).toEqual({ putBack: ['dogs_region of public.dogs'], missing: [] });
  expect(await catalog()).toEqual(keys);
});

it('refuses a key that would not come back as it is', async () => {
  await session.client.query('alter table legacy disable trigger all');
  await owner.query('begin');
  try {
    await expect(holdForeignKeys(owner, await find('regions'), async () => undefined)).rejects.toMatchObject({
      code: 'SchemaIncompatible',
      object: 'public.legacy',
    });
  } finally {
    await owner.query('rollback');
    await session.client.query('alter table legacy enable trigger all');
  }
});
