import { afterAll, beforeAll, expect, test } from 'vitest';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { mine, nobody, openPitrSite, other, type PitrSite } from './pitr-site.ts';

let site: PitrSite;

beforeAll(async () => {
  site = await openPitrSite('pitr_functions');
});

afterAll(() => site.close());

const order = (tables: string[]) => site.value<string[]>('get_table_restoration_order($1)', [tables]);

test('is printed for any schema, keeps what an older installation holds, and may be run again', async () => {
  const { client } = site;
  await client.query(`
    create schema "Back""up";
    create table "Back""up".backup_pitr_rollback_history (
      id uuid primary key, tenant_id uuid not null, snapshot_id uuid not null,
      rollback_started_at timestamptz not null default now(), status text not null default 'in_progress'
    );
    insert into "Back""up".backup_pitr_rollback_history values ('${nobody}', '${mine}', '${mine}')`);
  await client.query(pitrSql('Back"up'));
  await client.query(pitrSql('Back"up'));
  expect(
    await site.rows(
      'select id, restoration_steps, tables_restored, fk_constraints_handled, transaction_ids from "Back""up".backup_pitr_rollback_history',
    ),
  ).toEqual([
    {
      id: nobody,
      restoration_steps: [],
      tables_restored: [],
      fk_constraints_handled: {},
      transaction_ids: [],
    },
  ]);
  expect(await site.value(`"Back""up".validate_snapshot_integrity($1)`, [nobody])).toEqual({
    valid: false,
    error: 'Snapshot not found',
  });
  await client.query('drop schema "Back""up" cascade');
});

test('tables are ordered parents first, and those of a circle stand together', async () => {
  await site.client.query(`
    create schema shop;
    create table "Order" (id int primary key, parent int references "Order");
    create table line (id int primary key, of int constraint belongs references "Order");
    create table note (id int primary key, of int constraint belongs references line);
    create table tag (id int primary key);
    create table chicken (id int primary key, of int, tag int references tag);
    create table egg (id int primary key, of int references chicken);
    alter table chicken add foreign key (of) references egg;
    create table shop.feather (id int primary key, of int references chicken)`);
  expect(await order(['note', 'line', 'Order'])).toEqual(['Order', 'line', 'note']);
  // Without the table between them there is nothing to say; what is named twice is told once.
  expect(await order(['note', 'Order', 'note'])).toEqual(['note', 'Order']);
  expect(await order(['shop.feather', 'egg', 'note', 'chicken', 'line', 'tag'])).toEqual([
    'line',
    'tag',
    'egg',
    'chicken',
    'note',
    'shop.feather',
  ]);
  expect(await order([])).toEqual([]);
  await expect(order(['tag', 'none'])).rejects.toThrow('Table not found: none');
  await expect(order(['backup_pitr_snapshots'])).rejects.toThrow(
    'Table backup_pitr_snapshots holds the records of snapshots, and is no part of one',
  );
  await site.client.query(
    'drop schema shop cascade; drop table "Order", line, note, tag, chicken, egg cascade',
  );
});

test('foreign keys are taken off and put back as they were, those of other tables left alone', async () => {
  const { client } = site;
  await client.query(`
    create table maker (id int primary key, country int unique);
    create table car (id int primary key, made int, old int);
    create table boat (id int primary key, made int constraint made_by references maker);
    alter table car
      add constraint made_by foreign key (made) references maker on delete cascade deferrable initially deferred,
      add constraint "Old One" foreign key (old) references maker (country) match full on update set null not valid;
    comment on constraint made_by on car is 'it''s theirs'`);
  const before = await site.foreignKeys();
  const snapshot = await site.snapshot({ car: [] });
  const rollback = await site.value<string>('gen_random_uuid()');
  await client.query(
    `insert into backup_pitr_rollback_history (id, tenant_id, snapshot_id, initiated_by) values ($1, $2, $3, 'ann')`,
    [rollback, mine, snapshot],
  );
  expect(await site.value('disable_table_fk_constraints($1, $2, $3)', ['car', rollback, mine])).toBe(2);
  expect(await site.foreignKeys()).toEqual(before.filter(({ of }) => of === 'boat'));
  expect(
    await site.rows(
      `select table_schema, table_name, constraint_name, is_disabled, tenant_id, disabled_at is not null as disabled
       from backup_fk_constraints_cache order by constraint_name collate "C"`,
    ),
  ).toMatchObject([
    {
      table_schema: 'public',
      table_name: 'car',
      constraint_name: 'Old One',
      is_disabled: true,
      tenant_id: mine,
    },
    { constraint_name: 'made_by', disabled: true },
  ]);

  // Rows that broke one meanwhile keep it from coming back.
  await client.query('insert into car (id, made) values (1, 7)');
  await expect(site.value('re_enable_table_fk_constraints($1, $2)', ['car', rollback])).rejects.toThrow(
    'violates foreign key constraint "made_by"',
  );
  await client.query('delete from car');
  expect(await site.value('re_enable_table_fk_constraints($1, $2)', ['boat', rollback])).toBe(0);
  expect(await site.value('re_enable_table_fk_constraints($1, $2)', ['car', rollback])).toBe(2);
  expect(await site.foreignKeys()).toEqual(before);
  expect(await site.value('re_enable_table_fk_constraints($1, $2)', ['car', rollback])).toBe(0);
  expect(
    await site.rows(
      'select distinct is_disabled, re_enabled_at is not null as enabled from backup_fk_constraints_cache',
    ),
  ).toEqual([{ is_disabled: false, enabled: true }]);
  await client.query('drop table car, boat, maker');
});

test('validation tells what is wrong with a snapshot', async () => {
  await site.client.query('create table kept (id int primary key, tenant_id uuid)');
  const validate = async (id: string) =>
    site.value<{ valid: boolean; issues: { issue: string }[] }>('validate_snapshot_integrity($1)', [id]);
  const issues = async (data: Record<string, never[]>, more: Record<string, unknown>) => {
    const { valid, issues: found } = await validate(await site.snapshot(data, more));
    expect(valid).toBe(found.length === 0);
    return found.map(({ issue }) => issue);
  };
  const sound = await site.snapshot({ kept: [] });
  expect(await validate(sound)).toEqual({
    valid: true,
    issues: [],
    snapshot: { id: sound, created_at: expect.any(String), status: 'active', affected_tables: ['kept'] },
  });
  expect(await issues({ kept: [] }, { snapshot_data: 'null' })).toEqual(['snapshot_data is null']);
  expect(await issues({ kept: [] }, { snapshot_data: '[]' })).toEqual(['snapshot_data is not an object']);
  expect(await issues({}, {})).toEqual(['no affected_tables']);
  expect(await issues({ kept: [] }, { expires_at: '2020-01-01' })).toEqual(['snapshot expired']);
  expect(await issues({ kept: [] }, { is_rolled_back: true })).toEqual(['already rolled back']);
  expect(await issues({ kept: [] }, { affected_tables: ['kept', 'gone'] })).toEqual([
    'snapshot_data has no rows of gone',
    'Table not found: gone',
  ]);
  const taken = await site.value<string>(`create_pitr_snapshot($1, 'x', '{kept}', 'ann')`, [mine]);
  expect(await validate(taken)).toMatchObject({ valid: true });
  await site.client.query(`update backup_pitr_snapshots set snapshot_data = '{"kept": [{}]}' where id = $1`, [
    taken,
  ]);
  expect(await validate(taken)).toMatchObject({
    valid: false,
    issues: [{ issue: 'snapshot_data does not have its checksum' }],
  });
  await site.client.query('drop table kept');
});

test('a snapshot holds the rows of its tenant only, as they are', async () => {
  await site.client.query(`
    create table "Doc" (id int primary key, tenant_id text, body bytea, price numeric, at timestamptz);
    create table empty (id int primary key, tenant_id uuid);
    create table shared (id int primary key);
    insert into "Doc" values (1, '${mine}', '\\x00ff', 1.50, '2026-01-02 03:04:05.678+02'), (2, '${other}', null, 1, null)`);
  const id = await site.value<string>(`create_pitr_snapshot($1, 'x', '{Doc, empty}', 'ann', $2)`, [
    mine,
    nobody,
  ]);
  const { rows } = await site.client.query('select * from backup_pitr_snapshots where id = $1', [id]);
  expect(rows).toMatchObject([
    {
      tenant_id: mine,
      restore_log_id: nobody,
      snapshot_name: 'x',
      snapshot_type: 'pre_restore',
      created_by: 'ann',
      affected_tables: ['Doc', 'empty'],
      total_rows_count: 1,
      status: 'active',
      is_rolled_back: false,
    },
  ]);
  expect(
    await site.value('(select snapshot_data::text from backup_pitr_snapshots where id = $1)', [id]),
  ).toBe(
    `{"Doc": [{"at": "2026-01-02T01:04:05.678+00:00", "id": 1, "body": "\\\\x00ff", "price": 1.50, "tenant_id": "${mine}"}], "empty": []}`,
  );
  const take = (tables: string) => site.value(`create_pitr_snapshot($1, 'x', $2, 'ann')`, [mine, tables]);
  await expect(take('{empty,shared}')).rejects.toThrow(
    'Table public.shared has no column tenant_id, so its rows cannot be told from those of other tenants',
  );
  await expect(take('{}')).rejects.toThrow('No tables to keep');
  await site.client.query('drop table "Doc", empty, shared');
});
