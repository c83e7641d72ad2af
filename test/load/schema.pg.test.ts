import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LoadOutcome } from '../../src/contract/activities.ts';
import type { RestoreOptions, SchemaStrategy } from '../../src/contract/restore-request.ts';
import type { ArchivedRow } from '../harness/archive-writer.ts';
import { createLoadSite, type LoadSite } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_schema');
});

afterAll(async () => {
  await site.close();
});

afterEach(async () => {
  await site.pg.query('drop table items');
});

function schema(columns: Readonly<Record<string, string>>) {
  const listed = Object.entries(columns).map(([name, type]) => ({ name, data_type: type, udt_name: type }));
  return { table_name: 'items', columns: listed };
}

/** What was archived: `size` and `full_name` have other types or names in the table, `gone` is not there. */
const archived = { id: 'int4', size: 'float8', full_name: 'text', gone: 'text' };
const drifted = `create table items (id int primary key, size numeric(4,1), name text, added text not null default 'new')`;
const rows = [
  { id: 1, size: 1, full_name: 'Ann', gone: 'x' },
  { id: 2, size: 2, full_name: 'Bob', gone: null },
];

/** Loads batches together; only the first has a schema, as the archiver has it. */
async function load(
  options: Partial<RestoreOptions>,
  batches: readonly (readonly ArchivedRow[])[],
  columns: Readonly<Record<string, string>> | null,
): Promise<LoadOutcome> {
  const archives = [];
  for (const [place, batch] of batches.entries()) {
    const first = place === 0 && columns !== null ? { tableSchema: schema(columns) } : {};
    archives.push(await site.archive(place + 1, batch, { metadata: true, ...first }));
  }
  const restore = await site.restore('items', options);
  return restore.load(archives, 0).outcome;
}

async function items(): Promise<unknown[]> {
  return (await site.pg.query('select * from items order by id')).rows;
}

const renamed = { full_name: 'name' };
test.each<[SchemaStrategy, RegExp]>([
  [
    'strict',
    /column size: archived as float8, and the table has numeric\(4,1\); column added: the archive does/,
  ],
  [
    'none',
    /column size: archived as float8, and the table has numeric\(4,1\); column added: the archive does/,
  ],
  ['lenient', /column size: archived as float8, and the table has numeric\(4,1\): values may be rounded/],
])('%s refuses archives of a schema that it does not allow', async (schemaStrategy, why) => {
  await site.pg.query(drifted);
  const outcome = await load(
    { schemaStrategy, renamedColumns: renamed },
    [rows.slice(0, 1), rows.slice(1)],
    archived,
  );
  expect(outcome.failures.map(({ code }) => code)).toEqual(['SchemaIncompatible', 'SchemaIncompatible']);
  for (const { message } of outcome.failures) expect(message).toMatch(why);
  expect(await items()).toEqual([]);
});

test.each<[SchemaStrategy, string, number, string]>([
  ['lenient', 'int4', 2, '2.0'],
  ['transform', 'float8', 2.25, '2.3'],
])(
  '%s fills, drops and renames columns, and takes size from %s',
  async (schemaStrategy, size, value, taken) => {
    await site.pg.query(drifted);
    const batches = rows.map((row) => [{ ...row, size: value }]);
    const outcome = await load({ schemaStrategy, renamedColumns: renamed }, batches, { ...archived, size });
    expect(outcome.failures).toEqual([]);
    expect(outcome.columnNotes).toEqual([{ column: 'gone', kind: 'dropped', values: 1 }]);
    expect(await items()).toEqual([
      { id: 1, size: taken, name: 'Ann', added: 'new' },
      { id: 2, size: taken, name: 'Bob', added: 'new' },
    ]);
  },
);

test('strict takes what is the same but for a rename', async () => {
  await site.pg.query('create table items (id int primary key, name text)');
  const batch = [{ id: 1, full_name: 'Ann' }];
  const how = { schemaStrategy: 'strict', renamedColumns: renamed } as const;
  const outcome = await load(how, [batch], { id: 'int4', full_name: 'text' });
  expect(outcome.failures).toEqual([]);
  expect(await items()).toEqual([{ id: 1, name: 'Ann' }]);
});

test.each(['strict', 'none'] as const)(
  '%s takes no record that lacks a column or has another, where nothing but the records tells',
  async (schemaStrategy) => {
    await site.pg.query('create table items (id int primary key, name text)');
    const batches = [
      [{ id: 1, name: 'Ann' }],
      [{ id: 2, name: 'Bob' }, { id: 3 }],
      [{ id: 4, name: 'Cy', more: 1 }],
    ];
    const outcome = await load({ schemaStrategy }, batches, null);
    expect(outcome.failures.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^SchemaIncompatible .*_002\.jsonl\.gz: a record does not have column name\.$/),
      expect.stringMatching(/^SchemaIncompatible .*_003\.jsonl\.gz: public\.items has no column more\.$/),
    ]);
    expect(await items()).toEqual([{ id: 1, name: 'Ann' }]);
  },
);

test('a converted value is read by the type that it was archived with', async () => {
  await site.pg.query('create table items (id int primary key, body text)');
  const batch = [{ id: 1, body: { a: [1, 'b'] } }];
  const outcome = await load({}, [batch], { id: 'int4', body: 'jsonb' });
  expect(outcome.failures).toEqual([]);
  const [row] = (await site.pg.query('select id, body::jsonb as body from items')).rows;
  expect(row).toEqual({ id: 1, body: { a: [1, 'b'] } });
});

test('a rename takes both names where archives were made before and after it, but never both of a record', async () => {
  await site.pg.query('create table items (id int primary key, name text)');
  const batches = [
    [{ id: 1, full_name: 'Ann' }],
    [{ id: 2, name: 'Bob' }],
    [{ id: 3, name: 'x', full_name: 'y' }],
  ];
  const outcome = await load({ renamedColumns: renamed }, batches, null);
  expect(outcome.failures).toMatchObject([
    {
      code: 'SchemaIncompatible',
      message: expect.stringContaining('Two keys of a record go into column name'),
    },
  ]);
  expect(await items()).toEqual([
    { id: 1, name: 'Ann' },
    { id: 2, name: 'Bob' },
  ]);
});

test.each([
  ['with', { id: 'int4', size: 'int4', full_name: 'text', gone: 'text', added: 'text' }],
  ['without', null],
])('only the columns asked for are restored, %s a schema', async (_, columns) => {
  await site.pg.query(drifted);
  const batch = rows.map((row) => ({ ...row, added: 'archived' }));
  const how = { schemaStrategy: 'strict', columns: ['id', 'full_name'], renamedColumns: renamed } as const;
  const outcome = await load(how, [batch], columns);
  expect(outcome.failures).toEqual([]);
  expect(outcome.columnNotes).toEqual([]);
  expect(await items()).toEqual([
    { id: 1, size: null, name: 'Ann', added: 'new' },
    { id: 2, size: null, name: 'Bob', added: 'new' },
  ]);
});
