import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDescription } from '../../src/bundle/describe.ts';
import { type DescribeOptions, importDescribe } from '../../src/bundle/import-describe.ts';
import { readMade } from '../../src/postgres/bundle-ledger.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { inTransaction } from '../../src/postgres/transaction.ts';
import { openSession, type Session } from '../postgres/session.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('describe');
  ({ client } = session);
  await ensureSchema(client);
});

afterAll(() => session.close());

function options(restoreId: string, namespace: string, rest: Partial<DescribeOptions> = {}): DescribeOptions {
  return {
    restoreId,
    namespace,
    createModels: true,
    withData: true,
    undoable: false,
    held: null,
    transact: (work) => inTransaction(client, work),
    onProgress: () => {},
    ...rest,
  };
}

async function describeYaml(text: string) {
  return (await parseDescription(text)).models;
}

/** Name, type, default and whether it must have a value, of each column. */
async function columnsOf(table: string): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    `select concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
       'default ' || pg_get_expr(d.adbin, d.adrelid)) as line
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::regclass and a.attnum > 0 order by a.attnum`,
    [table],
  );
  return rows.map(({ line }) => line);
}

async function constraintsOf(table: string): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    `select pg_get_constraintdef(oid) || case when condeferrable then '' else ' (at once)' end as line
     from pg_constraint where conrelid = $1::regclass and contype in ('c', 'u', 'f', 'p') order by contype, 1`,
    [table],
  );
  return rows.map(({ line }) => line.replaceAll('::text', ''));
}

const shop = `
users:
  description: Who may order
  fields:
    email: { type: text, required: true, unique: true, pattern: '^[^@]+@[^@]+$' }
    age: { type: integer, minimum: '0', maximum: 150, default_value: 18 }
    tags: { type: 'text[]', default_value: [a, 'b,c'], enum_values: [a, 'b,c'], maximum: 3 }
    settings: { type: jsonb, default_value: { a: 1 } }
    joined: { type: timestamp, default_value: 'now()' }
    boss: { type: uuid, relationship_type: referenced, related_model: users }
    team: { type: uuid, index: true, relationship_type: owned, related_model: teams, cascade_delete: true }
    code: { type: text, pattern: '(?<year>x)[', relationship_type: referenced, related_model: teams, related_field: title }
teams:
  fields:
    title: { type: text, description: "The team's name", minimum: 2 }
    lead: { type: uuid, relationship_type: referenced, related_model: users }
`;

test('models become tables with columns, rules and foreign keys, in circles too', async () => {
  const warnings = await importDescribe(client, await describeYaml(shop), options('first', 'Tenant A'));
  expect(await columnsOf('"Tenant A".users')).toEqual([
    'id uuid not null default gen_random_uuid()',
    `access_read uuid[] default '{}'::uuid[]`,
    `access_edit uuid[] default '{}'::uuid[]`,
    `access_full uuid[] default '{}'::uuid[]`,
    `access_deny uuid[] default '{}'::uuid[]`,
    'created_at timestamp without time zone not null default now()',
    'updated_at timestamp without time zone not null default now()',
    'trashed_at timestamp without time zone',
    'deleted_at timestamp without time zone',
    'email text not null',
    'age integer default 18',
    `tags text[] default ARRAY['a'::text, 'b,c'::text]`,
    `settings jsonb default '{"a": 1}'::jsonb`,
    'joined timestamp without time zone default now()',
    'boss uuid',
    'team uuid',
    'code text',
  ]);
  expect(await constraintsOf('"Tenant A".users')).toEqual([
    'CHECK ((age <= 150)) (at once)',
    'CHECK ((age >= 0)) (at once)',
    'CHECK ((cardinality(tags) <= 3)) (at once)',
    "CHECK ((email ~ '^[^@]+@[^@]+$')) (at once)",
    "CHECK ((tags <@ ARRAY['a', 'b,c'])) (at once)",
    'FOREIGN KEY (boss) REFERENCES "Tenant A".users(id) DEFERRABLE',
    'FOREIGN KEY (team) REFERENCES "Tenant A".teams(id) ON DELETE CASCADE DEFERRABLE',
    'PRIMARY KEY (id) (at once)',
    'UNIQUE (email) (at once)',
  ]);
  expect(await constraintsOf('"Tenant A".teams')).toContain(
    'FOREIGN KEY (lead) REFERENCES "Tenant A".users(id) DEFERRABLE',
  );
  expect(await constraintsOf('"Tenant A".teams')).toContain('CHECK ((length(title) >= 2)) (at once)');
  const { rows } = await client.query(
    `select (select count(*) from pg_indexes where schemaname = 'Tenant A' and indexdef like '%(team)')::int as indexes,
       obj_description('"Tenant A".users'::regclass) as model, col_description('"Tenant A".teams'::regclass, 10) as field`,
  );
  expect(rows).toEqual([{ indexes: 1, model: 'Who may order', field: "The team's name" }]);
  expect(warnings).toEqual([
    { model: 'users', message: 'Field code: PostgreSQL cannot check its pattern' },
    {
      model: 'users',
      message: 'Field code: no foreign key, as teams.title is not there, not unique, or of another type',
    },
  ]);
  expect(await readMade(client, { restoreId: 'first', namespace: 'Tenant A' })).toEqual([
    { model: 'teams', created: true, fields: ['title', 'lead'] },
    {
      model: 'users',
      created: true,
      fields: ['email', 'age', 'tags', 'settings', 'joined', 'boss', 'team', 'code'],
    },
  ]);
});

test('only what is missing is added, and it is known whose work it is', async () => {
  await client.query('create schema tenant_b; create table tenant_b.users (id uuid primary key, email int)');
  await importDescribe(client, await describeYaml(shop), options('second', 'tenant_b'));
  expect((await columnsOf('tenant_b.users')).slice(0, 3)).toEqual([
    'id uuid not null',
    'email integer',
    'age integer default 18',
  ]);
  const made = await readMade(client, { restoreId: 'second', namespace: 'tenant_b' });
  expect(made.map(({ model, created, fields }) => [model, created, fields.length])).toEqual([
    ['teams', true, 2],
    ['users', false, 7],
  ]);
  const before = await constraintsOf('tenant_b.users');
  await importDescribe(client, await describeYaml(shop), options('second', 'tenant_b'));
  await importDescribe(client, await describeYaml(shop), options('third', 'tenant_b'));
  expect(await constraintsOf('tenant_b.users')).toEqual(before);
  expect(await readMade(client, { restoreId: 'second', namespace: 'tenant_b' })).toEqual(made);
  expect(await readMade(client, { restoreId: 'third', namespace: 'tenant_b' })).toEqual([]);
});

test('what cannot be made is told in words of the description, and leaves nothing', async () => {
  await client.query(
    'create schema tenant_c; create table tenant_c.old (id int); insert into tenant_c.old values (1)',
  );
  const refused = async (yaml: string, rest: Partial<DescribeOptions> = {}) =>
    importDescribe(client, await describeYaml(yaml), options('fourth', 'tenant_c', rest)).catch(
      (reason: unknown) => reason,
    );
  expect(await refused('a: { fields: { x: { type: integer, default_value: many } } }')).toMatchObject({
    code: 'InputInvalid',
    message: expect.stringContaining('a: a default, minimum or maximum is no value'),
  });
  expect(await refused('old: { fields: { x: { type: text, required: true } } }')).toMatchObject({
    code: 'SchemaIncompatible',
    message: expect.stringContaining('required and has no default'),
  });
  expect(await refused('a: { fields: { x: { type: text, minimum: "1); drop table old" } } }')).toMatchObject({
    code: 'InputInvalid',
  });
  expect(await refused('old: { fields: { x: { type: text } } }', { held: new Set(['other']) })).toMatchObject(
    {
      code: 'SerializationFailure',
      message: 'old: the table was made or changed meanwhile.',
    },
  );
  expect(await columnsOf('tenant_c.old')).toEqual(['id integer']);
  expect(await refused('a: {}', { createModels: false })).toMatchObject({ code: 'ConflictFound' });
  const { rows } = await client.query(
    "select relname from pg_class where relnamespace = 'tenant_c'::regnamespace",
  );
  expect(rows).toEqual([{ relname: 'old' }]);
});

test('220 models are made in several transactions', async () => {
  const yaml = Array.from({ length: 220 }, (_, place) => `m${place}: { fields: { a: { type: text } } }`);
  const seen: number[] = [];
  await importDescribe(
    client,
    await describeYaml(yaml.join('\n')),
    options('many', 'tenant_d', { onProgress: (models) => seen.push(models) }),
  );
  expect(seen).toEqual([100, 200, 220]);
  expect(await readMade(client, { restoreId: 'many', namespace: 'tenant_d' })).toHaveLength(220);
});
