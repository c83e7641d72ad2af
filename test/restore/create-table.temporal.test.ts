import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ArchivedRow, type ArchivedValue, writeArchive } from '../harness/archive-writer.ts';
import { expectEqualTable, expectedCsv } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('create_table');
});

afterAll(async () => {
  await thaw.close();
});

const created = { createTable: true } as const;

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly default: string | null;
}

/** A table as PostgreSQL itself tells it. */
async function described(table: string) {
  const columns = await thaw.pg.query<Column>(
    `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as "notNull",
       case when a.attidentity <> '' then 'identity' else pg_get_expr(d.adbin, d.adrelid) end as default
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::regclass and a.attnum > 0 order by a.attnum`,
    [table],
  );
  const constraints = await thaw.pg.query<{ name: string; definition: string }>(
    `select conname as name, pg_get_constraintdef(oid) as definition
     from pg_constraint where conrelid = $1::regclass and contype <> 'n' order by conname`,
    [table],
  );
  const indexes = await thaw.pg.query<{ definition: string }>(
    `select pg_get_indexdef(indexrelid) as definition from pg_index i
     where indrelid = $1::regclass and not exists (select from pg_constraint where conindid = i.indexrelid)
     order by 1`,
    [table],
  );
  return {
    columns: columns.rows.map(
      (column) =>
        `${column.name} ${column.type}${column.notNull ? ' not null' : ''}${column.default === null ? '' : ` default ${column.default}`}`,
    ),
    constraints: constraints.rows.map(({ name, definition }) => `${name} ${definition}`),
    indexes: indexes.rows.map(({ definition }) => definition),
  };
}

/** An archive whose metadata has a schema. */
async function archive(
  table: string,
  schema: Readonly<Record<string, ArchivedValue>>,
  rows: readonly ArchivedRow[],
): Promise<void> {
  await writeArchive((key, body) => thaw.bucket.put(key, body), {
    database: thaw.database.name,
    table,
    archivedAt: new Date('2026-01-04T05:20:21Z'),
    rows,
    primaryKey: 'id',
    tableSchema: { table_name: table, schema_name: 'public', ...schema },
  });
}

function columns(types: Readonly<Record<string, string>>): ArchivedValue {
  return Object.entries(types).map(([name, type]) => ({ name, data_type: type, udt_name: type }));
}

test('tables are made as they were archived, whatever their order, and hold all that was in them', async () => {
  await thaw.bucket.putFixture('shop', undefined, thaw.database.name);

  const outcome = await thaw.restore(['line_items', 'tickets', 'orders'], created);

  expect(outcome.tables.map(({ target, error, failures }) => ({ target, error, failures }))).toEqual([
    { target: 'public.line_items', error: null, failures: [] },
    { target: 'public.tickets', error: null, failures: [] },
    { target: 'public.orders', error: null, failures: [] },
  ]);
  for (const table of ['orders', 'line_items', 'tickets']) {
    await expectEqualTable(thaw.pg, `public.${table}`, expectedCsv('shop', `public.${table}`));
  }
  expect(await described('orders')).toEqual({
    columns: [
      'order_id bigint not null',
      'created_at timestamp with time zone not null',
      'customer text not null',
      'Order Date date not null',
      'select integer',
      'from text',
      'Ünïcode col text',
      'we"ird text',
      '100% numeric(5,2)',
      `status text not null default 'new'::text`,
      'order_ref text',
    ],
    constraints: [
      'orders_order_ref_key UNIQUE (order_ref)',
      'orders_pkey PRIMARY KEY (order_id)',
      `orders_status_check CHECK ((status = ANY (ARRAY['new'::text, 'paid'::text, 'void'::text])))`,
    ],
    indexes: [],
  });
  expect(await described('line_items')).toMatchObject({
    constraints: [
      'line_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(order_id)',
      'line_items_pkey PRIMARY KEY (order_id, line_no)',
      'line_items_qty_check CHECK ((qty > 0))',
    ],
    indexes: ['CREATE INDEX "line items by sku" ON public.line_items USING btree (sku, "Unit Price" DESC)'],
  });
  expect(await described('tickets')).toMatchObject({
    constraints: [
      'tickets_pkey PRIMARY KEY (id)',
      'tickets_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES tickets(id)',
    ],
  });
  const [items] = outcome.tables;
  expect(items?.notices[0]).toMatch(/^public\.line_items was made from the schema in archives\/.*batch_001/);
});

test('a copy under another name has keys of its own, a sequence, and the names that it is given', async () => {
  await thaw.pg.query('create schema copy');
  await thaw.bucket.putFixture('audit-logs', undefined, thaw.database.name);
  const tables = [
    { table: 'line_items', intoTable: 'items' },
    { table: 'audit_logs', intoSchema: 'copy', intoTable: 'old "logs"' },
  ];

  const outcome = await thaw.restore(tables, { ...created, renamedColumns: { sku: 'article' } });

  // One option for both tables: audit_logs has no such column, and is refused for it.
  expect(outcome.tables.map(({ error }) => error?.code ?? null)).toEqual([null, 'InputInvalid']);
  expect(await described('items')).toMatchObject({
    constraints: [
      'items_pkey PRIMARY KEY (order_id, line_no)',
      'line_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(order_id)',
      'line_items_qty_check CHECK ((qty > 0))',
    ],
    indexes: [
      'CREATE INDEX "items_sku_Unit Price_idx" ON public.items USING btree (article, "Unit Price" DESC)',
    ],
  });
  const logs = await thaw.restore(
    [{ table: 'audit_logs', intoSchema: 'copy', intoTable: 'old "logs"' }],
    created,
  );
  expect(logs.state).toBe('completed');
  const copy = `copy."old ""logs"""`;
  await expectEqualTable(thaw.pg, copy, expectedCsv('audit-logs', 'public.audit_logs'));
  const { rows } = await thaw.pg.query(
    `insert into ${copy} (action) values ('x') returning id > 2500 as behind`,
  );
  expect(rows).toEqual([{ behind: true }]);
});

test('metadata that is anybody’s makes a table and runs nothing', async () => {
  await thaw.pg.query(`
    create table canary (note text);
    create function evil(int) returns int immutable language plpgsql
      as $$ begin insert into canary values ('ran'); return $1; end $$`);
  await archive(
    'hostile',
    {
      columns: [
        { name: 'id', data_type: 'integer', udt_name: 'int4', default: 'public.evil(1)' },
        {
          name: `x" int); drop table canary; --`,
          data_type: 'text',
          udt_name: 'text',
          default: `'a'); drop table canary; --`,
        },
        { name: 'at', data_type: 'timestamp with time zone', udt_name: 'timestamptz', default: 'now()' },
      ],
      primary_key: { constraint_name: 'pk" primary key (id)); drop table canary; --', columns: ['id'] },
      unique_constraints: [{ constraint_name: 'u', columns: ['nowhere'] }],
      check_constraints: [
        { constraint_name: 'evil_check', check_clause: 'evil(id) > 0' },
        { constraint_name: 'broken', check_clause: 'nowhere > 0' },
        { constraint_name: 'good', check_clause: '((id > 0))' },
      ],
      foreign_keys: [
        {
          constraint_name: 'far',
          columns: ['id'],
          referenced_table: 'elsewhere',
          referenced_columns: ['id'],
        },
      ],
      indexes: [
        { name: 'i1', definition: 'CREATE INDEX i1 ON public.hostile USING btree (evil(id))' },
        { name: 'i2', definition: 'CREATE INDEX i2 ON canary USING btree (id); DROP TABLE canary' },
        { name: 'i3', definition: 'CREATE INDEX i3 ON canary USING btree (at)' },
        { name: 'i4', columns: ['id', 'at'] },
      ],
    },
    [{ id: 1, 'x" int); drop table canary; --': 'b', at: '2026-01-01T00:00:00+00:00' }],
  );

  const outcome = await thaw.restore(['hostile'], created);

  expect(outcome).toMatchObject({ state: 'completed', tally: { rows: { inserted: 1 } } });
  expect((await thaw.pg.query('select * from canary')).rows).toEqual([]);
  expect(await described('hostile')).toEqual({
    columns: [
      'id integer not null',
      `x" int); drop table canary; -- text`,
      'at timestamp with time zone default now()',
    ],
    constraints: ['good CHECK ((id > 0))', 'pk" primary key (id)); drop table canary; -- PRIMARY KEY (id)'],
    indexes: [
      'CREATE INDEX i3 ON public.hostile USING btree (at)',
      'CREATE INDEX i4 ON public.hostile USING btree (id, at)',
    ],
  });
  const mayDoMore = 'is left out: it may do more than compute a value.';
  expect(outcome.tables[0]?.notices.slice(1, 8)).toEqual([
    `The default of column id ${mayDoMore}`,
    `The default of column x" int); drop table canary; -- ${mayDoMore}`,
    `Check evil_check ${mayDoMore}`,
    `Index i1 ${mayDoMore}`,
    `Index i2 ${mayDoMore}`,
    expect.stringMatching(/^Key u is left out: .*column "nowhere"/),
    expect.stringMatching(/^Check broken is left out: .*column "nowhere"/),
  ]);
  expect(outcome.tables[0]?.notices).toContain(
    'Foreign key far is left out: there is no table public.elsewhere.',
  );
});

test('a type is found by its name where the archives have it, and only by its name', async () => {
  const moody = { columns: columns({ id: 'int4', mood: 'mood' }) };
  await archive('moods', moody, [{ id: 1, mood: 'happy' }]);
  const refused = await thaw.restore(['moods'], created);
  expect(refused.tables[0]?.error).toMatchObject({
    code: 'SchemaIncompatible',
    message: 'public.moods: there is no type for column mood (mood).',
  });
  await thaw.pg.query(`create type mood as enum ('sad', 'happy')`);
  expect(await thaw.restore(['moods'], created)).toMatchObject({ state: 'completed' });
  expect((await thaw.pg.query('select mood from moods')).rows).toEqual([{ mood: 'happy' }]);
  const again = await thaw.restore(['moods'], created);
  expect(again).toMatchObject({ state: 'completed', tally: { archives: { restored: 0, earlier: 1 } } });
  expect(again.tables[0]?.notices.filter((notice) => notice.includes('made'))).toEqual([]);

  const broken = { columns: columns({ id: 'int4); drop table canary; --' }) };
  await archive('typed', broken, [{ id: 1 }]);
  const outcome = await thaw.restore(['typed'], created);
  expect(outcome.tables[0]?.error).toMatchObject({ code: 'SchemaIncompatible' });
});

test('a table without a schema in its archives, or beside none, is not made', async () => {
  const outcome = await thaw.restore(['nothing', { table: 'orders', intoSchema: 'nowhere' }], created);
  expect(outcome.tables.map(({ error }) => error)).toMatchObject([
    {
      code: 'TargetMissing',
      message: 'public.nothing: there is no such table, and no archive holds its schema.',
    },
    { code: 'TargetMissing', message: 'nowhere.orders: there is no schema nowhere.' },
  ]);
  const plain = await thaw.restore(['nothing']);
  expect(plain.tables[0]?.error).toMatchObject({ code: 'TargetMissing' });
});
