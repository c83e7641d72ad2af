import { afterAll, beforeAll, expect, test } from 'vitest';
import { mine, nobody, openPitrSite, other, type PitrSite } from './pitr-site.ts';

let site: PitrSite;

beforeAll(async () => {
  site = await openPitrSite('pitr_restore');
});

afterAll(() => site.close());

const restore = (snapshot: string, table: string, rollback: string | null = null) =>
  site.value('restore_table_from_snapshot($1, $2, $3)', [snapshot, table, rollback]);

test('a table becomes what the snapshot holds, exactly, and no trigger fires', async () => {
  const { client } = site;
  await client.query(`
    create table zoo (
      id int generated always as identity primary key,
      tenant_id uuid not null,
      slot int not null unique,
      twice int generated always as (slot * 2) stored,
      number numeric, real float8, bytes bytea, at timestamptz, span interval, tags text[][], day date,
      period int4range, place point, doc json, "Quoted ""name" text
    );
    create function never() returns trigger language plpgsql as $$ begin raise exception 'fired'; end $$;
    insert into zoo (tenant_id, slot, number, real, bytes, at, span, tags, day, period, place, doc, "Quoted ""name") values
      ('${mine}', 1, 1.50, 'Infinity', '\\x00ff', '2026-01-02 03:04:05.678901+00', '1 mon 2 days', '{{a,b},{"c d",NULL}}', '0044-03-15 BC', '[1,5)', '(1.5,2)', '{"b": 1, "a": [1.0]}', 'x'),
      ('${mine}', 2, null, 'NaN', null, 'infinity', null, '{}', null, 'empty', null, null, null),
      ('${other}', 3, 9, 1e-300, null, null, null, null, null, null, null, null, null)`);
  const before = await site.rows('select *, doc::text from zoo order by id');
  const text = await site.rows('select zoo::text from zoo order by id');
  const snapshot = await site.value<string>(`create_pitr_snapshot($1, 'x', '{zoo}', 'ann')`, [mine]);
  await client.query(`
    update zoo set slot = -slot;
    update zoo set slot = 3 + slot, number = 1.5 where id < 3;
    update zoo set slot = 3 where id = 3;
    delete from zoo where id = 2;
    insert into zoo (id, tenant_id, slot) overriding system value values (9, '${mine}', 9), (2, '${mine}', 1);
    create trigger t before insert or update or delete on zoo for each row execute function never();
    create trigger u after insert on zoo for each statement execute function never();
    alter table zoo enable always trigger u`);
  // Both slots are taken by the other row: neither row can change before the other.
  expect(await site.rows('select id, slot from zoo order by id')).toEqual([
    { id: 1, slot: 2 },
    { id: 2, slot: 1 },
    { id: 3, slot: 3 },
    { id: 9, slot: 9 },
  ]);
  expect(await restore(snapshot, 'zoo')).toEqual({ success: true, table_name: 'zoo', rows_restored: 2 });
  expect(await site.rows('select *, doc::text from zoo order by id')).toEqual(
    before.map((row) => ({
      ...row,
      // jsonb orders the keys of a document.
      doc: row.doc === null ? null : '{"a": [1.0], "b": 1}',
    })),
  );
  expect(await site.rows('select zoo::text from zoo where doc is null order by id')).toEqual(text.slice(1));
  expect(
    await site.rows(`select tgname, tgenabled from pg_trigger where not tgisinternal order by 1`),
  ).toEqual([
    { tgname: 't', tgenabled: 'O' },
    { tgname: 'u', tgenabled: 'A' },
  ]);
  await client.query('drop table zoo; drop function never');
});

test('only the rows of the tenant are touched, whatever the snapshot says', async () => {
  await site.client.query(`
    create table mail (id int primary key, tenant_id uuid, body text);
    insert into mail values (1, '${mine}', 'a'), (2, '${other}', 'theirs')`);
  const rows = () => site.rows('select id, body from mail order by id');
  const theirs = { id: 2, body: 'theirs' };

  // An empty part is one too.
  expect(await restore(await site.snapshot({ mail: [] }), 'mail')).toMatchObject({
    success: true,
    rows_restored: 0,
  });
  expect(await rows()).toEqual([theirs]);
  const refused = async (hostile: Record<string, unknown>, error: string) => {
    expect(await restore(await site.snapshot({ mail: [hostile] }), 'mail')).toMatchObject({
      success: false,
      error: expect.stringContaining(error),
      table_name: 'mail',
    });
    expect(await rows()).toEqual([theirs]);
  };
  await refused({ id: 2, tenant_id: other, body: 'x' }, 'holds 1 rows of another tenant');
  await refused({ id: 3, tenant_id: null, body: 'x' }, 'holds 1 rows of another tenant');
  await refused({ id: 3, body: 'x' }, 'does not tell the tenant of its rows');
  // Somebody else's key.
  await refused({ id: 2, tenant_id: mine, body: 'x' }, 'duplicate key value');
  await refused({ id: 3, tenant_id: mine, body: 'x', 'a" int); drop table mail; --': 1 }, 'lacks columns');
  await refused({ id: 'no', tenant_id: mine, body: 'x' }, 'invalid input syntax for type integer');
  const uneven = await site.snapshot({
    mail: [
      { id: 1, tenant_id: mine },
      { id: 3, tenant_id: mine, body: 'x' },
    ],
  });
  expect(await restore(uneven, 'mail')).toMatchObject({
    error: expect.stringContaining('rows of different columns'),
  });
  await site.client.query('drop table mail');
});

test('a table without tenants is restored only where its snapshot says that it is of one alone', async () => {
  await site.client.query(
    "create table setting (name text, worth int); insert into setting values ('b', 1), ('b', 1)",
  );
  const content = {
    setting: [
      { name: 'a', worth: 1 },
      { name: 'a', worth: 1 },
      { name: null, worth: null },
    ],
  };
  expect(await restore(await site.snapshot(content), 'setting')).toMatchObject({
    success: false,
    error:
      'Table public.setting has no column tenant_id, so its rows cannot be told from those of other tenants',
  });
  const whole = await site.snapshot(content, { metadata: { whole_tables: ['setting'] } });
  // Without a key: each row as often as the snapshot has it.
  expect(await restore(whole, 'setting')).toMatchObject({ success: true, rows_restored: 3 });
  expect(await site.rows('select name, worth from setting order by 1')).toEqual(content.setting);
  await site.client.query('drop table setting');
});

test('columns that came later keep their values, and the sequence is moved up', async () => {
  await site.client.query(`
    create table item (id serial primary key, tenant_id uuid, name text, stock int not null default 5);
    insert into item (tenant_id, name, stock) values ('${mine}', 'a', 1)`);
  const snapshot = await site.snapshot({
    item: [
      { id: 1, tenant_id: mine, name: 'b' },
      { id: 40, tenant_id: mine, name: 'c' },
    ],
  });
  expect(await restore(snapshot, 'item')).toMatchObject({ success: true });
  expect(await site.rows('select id, name, stock from item order by id')).toEqual([
    { id: 1, name: 'b', stock: 1 },
    { id: 40, name: 'c', stock: 5 },
  ]);
  expect(await site.value(`nextval('item_id_seq')`)).toBe(41);
  await site.client.query('drop table item');
});

test('a foreign key that would take rows of other tables along has to be taken off first', async () => {
  await site.client.query(`
    create table parent (id int primary key, tenant_id uuid, name text);
    create table child (id int primary key, of int references parent on delete cascade);
    insert into parent values (1, '${mine}', 'a'), (2, '${mine}', 'b');
    insert into child values (1, 2)`);
  const snapshot = await site.snapshot({ parent: [{ id: 1, tenant_id: mine, name: 'c' }] });
  expect(await restore(snapshot, 'parent')).toMatchObject({
    success: false,
    error:
      'Foreign key child_of_fkey of table public.child would carry changes of table public.parent on to its rows',
  });
  expect(await site.rows('select * from child')).toHaveLength(1);
  // Rows that only change are no matter of its.
  const same = await site.snapshot({
    parent: [1, 2].map((id) => ({ id, tenant_id: mine, name: 'c' })),
  });
  expect(await restore(same, 'parent')).toMatchObject({ success: true });
  expect(await site.rows('select * from child')).toHaveLength(1);
  await site.client.query('drop table parent, child');
});

test('what is not there is told, and steps are written into the history', async () => {
  await site.client.query(`create table task (id int primary key, tenant_id uuid)`);
  const snapshot = await site.snapshot({ task: [{ id: 1, tenant_id: mine }], gone: [] });
  const { rows } = await site.client.query<{ id: string }>(
    `insert into backup_pitr_rollback_history (tenant_id, snapshot_id, initiated_by) values ($1, $2, 'ann') returning id`,
    [mine, snapshot],
  );
  const rollback = rows[0]?.id ?? '';
  expect(await restore(nobody, 'task', rollback)).toEqual({ success: false, error: 'Snapshot not found' });
  expect(await restore(snapshot, 'none', rollback)).toEqual({
    success: false,
    error: 'Table not found in snapshot or no data',
    table_name: 'none',
  });
  expect(await restore(snapshot, 'task', nobody)).toMatchObject({
    error: 'Rollback not found, or of another snapshot',
  });
  expect(await restore(snapshot, 'gone', rollback)).toMatchObject({ error: 'Table not found: gone' });
  expect(await restore(snapshot, 'task', rollback)).toMatchObject({ success: true });
  expect(
    await site.value('(select to_jsonb(h) from backup_pitr_rollback_history h where id = $1)', [rollback]),
  ).toMatchObject({
    current_step: 'restoring_task',
    tables_restored: ['task'],
    restoration_steps: [
      { table: 'gone', status: 'restoring', progress_pct: 0 },
      { table: 'gone', status: 'failed', error: 'Table not found: gone' },
      { table: 'task', status: 'restoring', started_at: expect.any(String) },
      {
        table: 'task',
        status: 'completed',
        completed_at: expect.any(String),
        rows_restored: 1,
        inserted: 1,
        progress_pct: 100,
        eta_seconds: 0,
      },
    ],
  });
  expect(await restore(snapshot, 'task', rollback)).toMatchObject({ success: true });
  expect(
    await site.value('(select tables_restored from backup_pitr_rollback_history where id = $1)', [rollback]),
  ).toEqual(['task']);
  await site.client.query('drop table task');
});
