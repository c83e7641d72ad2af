import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SnapshotTable } from '../../src/contract/snapshot.ts';
import { readTarget, type TargetTable } from '../../src/postgres/catalog.ts';
import { qualifiedName, quoteIdentifier, quoteLiteral } from '../../src/postgres/identifier.ts';
import { dropSnapshotStage, stageSchema } from '../../src/postgres/snapshot-stage.ts';
import { readStoredTables } from '../../src/postgres/stored-snapshot.ts';
import { containerSource, containerTable } from '../../src/snapshot/read/container-source.ts';
import { inspectObject, objectSource } from '../../src/snapshot/read/object-source.ts';
import type { RowsSource } from '../../src/snapshot/read/rows-source.ts';
import { storedSource } from '../../src/snapshot/read/stored-source.ts';
import type { StagedRows } from '../../src/snapshot/stage/stage-table.ts';
import { stageTables } from '../../src/snapshot/stage/stage-tables.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { openSession, type Session } from '../postgres/session.ts';

let session: Session;
let client: pg.Client;
let folder: string;
let store: FolderStore;
const schema = stageSchema('one');
const signal = new AbortController().signal;
const names = [
  ['public', 'items'],
  ['Other Place', 'T "x"'],
  ['public', 'nothing'],
] as const;

beforeAll(async () => {
  session = await openSession('stage_tables');
  client = session.client;
  folder = await mkdtemp(join(tmpdir(), 'thaw-stage-'));
  store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
  await client.query(`
    create schema "Other Place";
    create table items (id bigint generated always as identity primary key, name text collate "C" not null, amount numeric,
      twice numeric generated always as (amount * 2) stored, at timestamptz, span interval, tags text[], doc jsonb,
      blob bytea, _batch_id text);
    insert into items (name, amount, at, span, tags, doc, blob, _batch_id)
    select repeat('é"\\', n % 90), n::numeric / 7, case when n % 9 > 0 then 'infinity' else now() + n * interval '1 s' end,
      n * interval '-1 day 00:00:01.5', case when n % 5 > 0 then array['a', null, n::text] end,
      jsonb_build_object('n', n, 'text', repeat('some text ', 20)), decode(md5(n::text), 'hex'), n::text
    from generate_series(1, 2000) as n;
    create table "Other Place"."T ""x""" (a integer, "b c" text);
    insert into "Other Place"."T ""x""" values (1, 'twice'), (1, 'twice'), (null, null);
    create table nothing (id integer primary key);
    create table backup_pitr_snapshots (id uuid primary key default gen_random_uuid(), snapshot_data jsonb)`);
});
afterAll(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

async function targets(): Promise<TargetTable[]> {
  const found: TargetTable[] = [];
  for (const [namespace, table] of names) found.push(await readTarget(client, namespace, table));
  return found;
}
const connect = () => session.open();
const options = { schema, connections: 3, connect, exact: true, signal };

async function stages(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = to_regnamespace($1)`,
    [quoteIdentifier(schema)],
  );
  return rows.map(({ name }) => name);
}

/** The rows of a table as text, in an order of their own. */
async function rowsOf(table: string, columns: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ row: string }>(
    `select record::text as row from (select ${columns.map(quoteIdentifier).join(', ')} from ${table}) as record order by 1`,
  );
  return rows.map(({ row }) => row);
}

/** Columns with all that a comparison of two of them depends on. */
async function columnsOf(table: string, columns: readonly string[]): Promise<unknown[]> {
  const { rows } = await client.query(
    `select attname, format_type(atttypid, atttypmod), attcollation::regcollation::text from pg_attribute
     where attrelid = $1::regclass and attname = any ($2::text[]) order by attnum`,
    [table, columns],
  );
  return rows;
}

async function expectStaged(staged: readonly StagedRows[]): Promise<void> {
  for (const { target, stage, columns, rows } of staged) {
    const own = columns.map(({ name }) => name);
    expect(await columnsOf(qualifiedName(stage.schema, stage.table), own)).toEqual(
      await columnsOf(qualifiedName(target.schema, target.table), own),
    );
    const found = await rowsOf(qualifiedName(stage.schema, stage.table), own);
    expect(found).toEqual(await rowsOf(qualifiedName(target.schema, target.table), own));
    expect(found).toHaveLength(rows);
  }
  const { rows } = await client.query(
    `select relpersistence as kept, count(*)::int as tables from pg_class
     where relnamespace = to_regnamespace($1) group by 1`,
    [quoteIdentifier(schema)],
  );
  expect(rows).toEqual([{ kept: 'u', tables: staged.length }]);
}

/** Each COPY is a transaction of its own. */
async function copies({ stage }: StagedRows): Promise<number> {
  const table = qualifiedName(stage.schema, stage.table);
  const { rows } = await client.query<{ count: number }>(
    `select count(distinct xmin::text)::int as count from ${table}`,
  );
  return rows[0]?.count ?? 0;
}

/** Writes a table into the container as PostgreSQL's own text. */
async function writeTable(namespace: string, table: string, partRows: number): Promise<SnapshotTable> {
  const { columns } = await readTarget(client, namespace, table);
  const fields = columns.map(({ name }) => {
    const column = quoteIdentifier(name);
    return `${quoteLiteral(name)}, case when ${column} is distinct from null then format('%s', ${column}) end`;
  });
  const { rows } = await client.query<{ line: string }>(
    `select json_build_object(${fields.join(', ')})::text as line from ${qualifiedName(namespace, table)}`,
  );
  const parts: SnapshotTable['parts'][number][] = [];
  for (let from = 0; from < rows.length; from += partRows) {
    const lines = rows.slice(from, from + partRows);
    const jsonl = Buffer.from(lines.map(({ line }) => `${line}\n`).join(''));
    const bytes = gzipSync(jsonl);
    const key = `${encodeURIComponent(table)}/part-${parts.length}.jsonl.gz`;
    await store.write(`P/snapshots/one/${key}`, bytes, 'application/gzip');
    const digest = (content: Buffer) => createHash('sha256').update(content).digest('hex');
    parts.push({
      key,
      sha256: digest(bytes),
      jsonlSha256: digest(jsonl),
      rows: lines.length,
      bytes: bytes.length,
    });
  }
  return {
    ...{ schema: namespace, table, kind: 'table', key: null, columns: [], foreignKeys: [] },
    ...{ rows: rows.length, bytes: 0, parts },
  };
}

test('stages a snapshot of its own, several parts at once', async () => {
  const tables: SnapshotTable[] = [];
  for (const [namespace, table] of names) tables.push(await writeTable(namespace, table, 500));
  const source = containerSource({ store, prefix: 'P' }, 'one', tables);
  const wanted = (await targets()).map((target) => ({ name: containerTable(target), target }));
  const read = new Map<string, number>();
  const onRows = (name: string, rows: number) => read.set(name, (read.get(name) ?? 0) + rows);
  const staged = await stageTables(source, wanted, { ...options, onRows });
  expect(staged.map(({ rows }) => rows)).toEqual([2_000, 3, 0]);
  expect(staged[0]?.columns.map(({ name }) => name)).not.toContain('twice');
  expect([...read.values()].toSorted((a, b) => b - a)).toEqual([2_000, 3]);
  await expectStaged(staged);

  // An attempt that comes again begins anew.
  await expectStaged(await stageTables(source, wanted, { ...options, connections: 1 }));
  await dropSnapshotStage(client, schema);
  expect(await stages()).toEqual([]);

  await store.write(`P/snapshots/one/items/part-1.jsonl.gz`, gzipSync('{"id": "1"}\n'), 'application/gzip');
  await expect(stageTables(source, wanted, options)).rejects.toMatchObject({
    code: 'ChecksumMismatch',
    object: 'P/snapshots/one/items/part-1.jsonl.gz',
  });
  expect(await stages()).toEqual([]);
});

test.for(['plain', 'gzip'])(
  'stages a backup of the source system on several connections: %s',
  async (form) => {
    const { rows } = await client.query<{ text: string }>(
      `select jsonb_pretty(jsonb_build_object(
       'passed over', '[{"a": 1}]'::jsonb, 'nothing', '[]'::jsonb,
       'items', (select jsonb_agg(items) from items),
       'T "x"', (select jsonb_agg(x) from "Other Place"."T ""x""" as x))) as text`,
    );
    const bytes = Buffer.from(rows[0]?.text ?? '');
    const key = 'tenant/job-backup.json';
    await store.write(key, form === 'gzip' ? gzipSync(bytes) : bytes, 'application/json');
    const inspected = await inspectObject(store, key, signal);
    expect(Object.fromEntries(inspected.tables.map((table) => [table.name, table.rows]))).toEqual({
      ...{ 'passed over': 1, nothing: 0, items: 2_000, 'T "x"': 3 },
    });
    const wanted = (await targets()).map((target) => ({ name: target.table, target }));
    const staged = await stageTables(objectSource(store, inspected), wanted, options);
    await expectStaged(staged);
    expect(staged.map(({ rows: count }) => count)).toEqual([2_000, 3, 0]);
    expect(staged[0] === undefined ? 0 : await copies(staged[0])).toBe(3);

    await store.write(key, Buffer.from('{"items": [], "nothing": [], "T \\"x\\"": []}'), 'application/json');
    await expect(stageTables(objectSource(store, inspected), wanted, options)).rejects.toMatchObject({
      code: 'ArchiveChanged',
    });
    expect(await stages()).toEqual([]);
  },
);

test('stages a snapshot that is a row of a table', async () => {
  const { rows } = await client.query<{ id: string }>(
    `insert into backup_pitr_snapshots (snapshot_data) values (jsonb_build_object('nothing', '[]'::jsonb,
       'items', (select jsonb_agg(items) from items), 'T "x"', (select jsonb_agg(x) from "Other Place"."T ""x""" as x)))
     returning id`,
  );
  const snapshot = { schema: 'public', id: rows[0]?.id ?? '' };
  const tables = await readStoredTables(client, snapshot);
  const wanted = (await targets()).map((target) => ({ name: target.table, target }));
  const staged = await stageTables(storedSource(connect, snapshot, tables), wanted, options);
  expect(staged.map(({ rows: count }) => count)).toEqual([2_000, 3, 0]);
  await expectStaged(staged);

  await client.query(`update backup_pitr_snapshots set snapshot_data = '{"a": {}}'`);
  await expect(readStoredTables(client, snapshot)).rejects.toMatchObject({ code: 'ArchiveCorrupt' });
  await expect(readStoredTables(client, { schema: 'public', id: 'none' })).rejects.toMatchObject({
    code: 'ArchiveNotFound',
  });
});

/** A source of the table "T "x"" with these rows. */
function sourceOf(lines: readonly string[], rows = lines.length): RowsSource {
  return {
    encoding: 'to_jsonb',
    tables: [{ name: 'x', rows }],
    parts: [
      {
        name: 'part',
        read: async function* () {
          yield { table: 'x', lines: Buffer.from(lines.map((line) => `${line}\n`).join('')) };
        },
      },
    ],
  };
}

test.for([
  [
    ['{"a": 1, "b c": "x"}'],
    2,
    'CountMismatch',
    'Other Place.T "x": 1 rows were read, and the snapshot tells of 2.',
  ],
  [['{"a": 1}'], 1, 'SchemaIncompatible', 'Other Place.T "x": the snapshot has no column b c.'],
  [
    ['{"a": 1, "b c": "x", "d": null}'],
    1,
    'SchemaIncompatible',
    'Other Place.T "x": the table has no column "d".',
  ],
  [
    ['{"a": 1, "b c": "x"}', '{"a": 1}'],
    2,
    'SchemaIncompatible',
    'Other Place.T "x": some rows of the snapshot have column b c, and some do not.',
  ],
  [
    ['{"d": 1}'],
    1,
    'SchemaIncompatible',
    'Other Place.T "x": rows of the snapshot have no column of the table.',
  ],
  [
    ['{"a": "secret", "b c": "x"}'],
    1,
    'RowRejected',
    /^Other Place.T "x": a value cannot be read as the type of its column/,
  ],
  [['{"a": [1], "b c": "x"}'], 1, 'RowRejected', /^Line 1.*column a is an array or object/],
  [['{"a": 1, "b c": }'], 1, 'ArchiveCorrupt', /line 1/i],
] as const)('refuses %s', async ([lines, rows, code, message]) => {
  const target = await readTarget(client, 'Other Place', 'T "x"');
  const staging = stageTables(sourceOf(lines, rows), [{ name: 'x', target }], options);
  const error = await staging.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({
    code,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
  expect(String(error)).not.toContain('secret');
  expect(await stages()).toEqual([]);
});

test('leaves out what either side does not have, where that is allowed', async () => {
  const target = await readTarget(client, 'Other Place', 'T "x"');
  const [staged] = await stageTables(
    sourceOf(['{"d": 1, "a": 5}', '{"a": 6, "d": null}']),
    [{ name: 'x', target }],
    {
      ...options,
      exact: false,
    },
  );
  expect(staged?.columns.map(({ name }) => name)).toEqual(['a']);
  expect(staged?.dropped).toEqual(new Map([['d', 1]]));
  expect(await rowsOf(qualifiedName(schema, staged?.stage.table ?? ''), ['a', 'b c'])).toEqual([
    '(5,)',
    '(6,)',
  ]);
});

test('refuses a table that the snapshot does not have, since an empty stage would empty it', async () => {
  const target = await readTarget(client, 'public', 'nothing');
  const staging = async () => stageTables(sourceOf([]), [{ name: 'nothing', target }], options);
  await expect(staging()).rejects.toMatchObject({ code: 'ArchiveNotFound', object: 'public.nothing' });
});

test('stops when it is told to, and leaves nothing', async () => {
  const target = await readTarget(client, 'Other Place', 'T "x"');
  const controller = new AbortController();
  const source: RowsSource = {
    ...sourceOf([]),
    parts: [
      {
        name: 'endless',
        read: async function* () {
          for (;;) yield { table: 'x', lines: Buffer.from('{"a": 1, "b c": "x"}\n'.repeat(10_000)) };
        },
      },
    ],
  };
  const staging = stageTables(source, [{ name: 'x', target }], {
    ...options,
    signal: controller.signal,
    onRows: () => controller.abort(new Error('enough')),
  });
  await expect(staging).rejects.toThrow('enough');
  expect(await stages()).toEqual([]);
});
