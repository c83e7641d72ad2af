import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RowCounts } from '../../src/contract/outcome.ts';
import type { ConflictStrategy } from '../../src/contract/restore-request.ts';
import { previewRestore } from '../../src/preview/restore-preview.ts';
import { type ArchivedRow, type Damage, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('preview_counts');
});

afterAll(async () => {
  await thaw.close();
});

/** Rows of `stock`: a composite key, and a second unique one. */
function row(tenant: number, id: number, sku: string, qty: number, note: string | null = null): ArchivedRow {
  return { tenant, id, sku, qty, note, made_at: `2026-01-0${1 + (id % 9)}T00:00:00+00:00` };
}

const archives: readonly { readonly rows: readonly ArchivedRow[]; readonly corrupt?: Damage }[] = [
  // New, there already as it is, there otherwise, and the same key twice.
  {
    rows: [
      row(1, 1, 'n', 1),
      row(1, 2, 'b', 20),
      row(1, 3, 'c', 30),
      row(1, 10, 'j', 1),
      row(1, 10, 'j', 2, 'again'),
      row(1, 11, 'k', 5),
    ],
  },
  // Keys of the archive before, and one that a row has that is there under another key.
  { rows: [row(1, 10, 'j', 3), row(1, 12, 'l', 1), row(2, 1, 'a', 9)] },
  // A row that the table refuses.
  { rows: [row(2, 5, 'q', 1), row(2, 6, 'r', -1), row(2, 7, 's', 1)] },
  { rows: [row(3, 1, 'x', 1)], corrupt: 'flipped-byte' },
  // What the archive that was refused would have brought.
  { rows: [row(2, 5, 'q', 2), row(3, 2, 'y', 1), row(3, 3, 'z', 1)] },
];

async function prepare(table: string): Promise<void> {
  await thaw.pg.query(`
    create table ${table} (
      tenant int, id bigint, sku text, qty int constraint enough check (qty >= 0), note text default 'none',
      made_at timestamptz not null, number bigserial, twice int generated always as (qty * 2) stored,
      primary key (tenant, id));
    create unique index ${table}_sku on ${table} (lower(sku)) where qty < 100;
    create index on ${table} (note);
    create table ${table}_log (what text);
    create function ${table}_note() returns trigger language plpgsql as
      $$ begin insert into ${table}_log values (tg_op); return null; end $$;
    create trigger noted after insert or update on ${table} for each row execute function ${table}_note();
    insert into ${table} (tenant, id, sku, qty, note, made_at) values
      (1, 2, 'b', 20, null, '2026-01-03T00:00:00Z'), (1, 3, 'C', 3, 'mine', '2026-01-04T00:00:00Z'),
      (9, 9, 'A', 1, null, '2026-01-01T00:00:00Z'), (9, 8, 'other', 1, null, '2026-01-01T00:00:00Z')`);
  for (const [place, { rows, corrupt }] of archives.entries()) {
    await writeArchive((key, body) => thaw.bucket.put(key, body), {
      database: thaw.database.name,
      table,
      archivedAt: new Date('2026-01-04T05:20:21Z'),
      batch: place + 1,
      rows,
      primaryKey: 'id',
      ...(corrupt === undefined ? {} : { corrupt }),
    });
  }
}

/** All that a dry run must leave alone: rows with their versions, sequences, what triggers wrote, Thaw's own tables. */
async function snapshot(table: string): Promise<unknown> {
  const { rows } = await thaw.pg.query(`select ctid::text, xmin::text, t.* from ${table} t order by 1`);
  const { rows: log } = await thaw.pg.query(`select * from ${table}_log`);
  const { rows: sequences } = await thaw.pg.query(`select * from pg_sequences order by 1, 2`);
  const { rows: made } = await thaw.pg.query(
    `select oid::int, relname, relkind from pg_class where relnamespace >= 16384 and relnamespace not in
       (select oid from pg_namespace where nspname ~ '^pg_') order by 1`,
  );
  const { rows: known } = await thaw.pg.query(`select to_regclass('thaw.archives') is not null as known`);
  const ledger = known[0].known
    ? (await thaw.pg.query(`select *, xmin::text from thaw.archives order by finished_at, key`)).rows
    : [];
  const keys = await thaw.bucket.keys();
  return { rows, log, sequences, made, ledger, keys };
}

async function preview(request: ReturnType<TestThaw['request']>) {
  const { config } = thaw;
  const { signal } = new AbortController();
  const [only] = await previewRestore(request, { config, env: {}, detectConflicts: true, signal });
  return only?.outcome ?? expect.fail('nothing was rehearsed');
}

test.each<[ConflictStrategy, number, RowCounts]>([
  ['skip', 1, { inserted: 8, updated: 0, skipped: 6, failed: 2 }],
  ['overwrite', 1, { inserted: 7, updated: 2, skipped: 2, failed: 5 }],
  ['upsert', 0, { inserted: 6, updated: 1, skipped: 2, failed: 7 }],
  ['fail', 1, { inserted: 2, updated: 0, skipped: 0, failed: 14 }],
])('%s with %i rejects: the numbers are those of the restore', async (conflictStrategy, maxRejects, rows) => {
  const table = `stock_${conflictStrategy}`;
  await prepare(table);
  const request = thaw.request([table], { conflictStrategy, maxRejects });
  const before = await snapshot(table);
  // Somebody who lets others read and nothing else.
  const holder = await thaw.database.client();
  await holder.query(`begin; lock table ${table} in exclusive mode`);
  const foreseen = await preview(request);
  await holder.query('rollback');
  expect(await snapshot(table)).toEqual(before);

  await thaw.restores.start(request);
  const outcome = await thaw.restores.outcome(request.restoreId);
  const [done] = outcome.tables;
  expect(foreseen.tally).toEqual(done?.tally);
  // A load that went straight into the table was refused at another stage.
  expect(foreseen.failures).toEqual(done?.failures.map((each) => ({ ...each, stage: expect.anything() })));
  expect(foreseen.columnNotes).toEqual(done?.columnNotes);
  expect(foreseen.error).toBeNull();
  expect(foreseen.tally.rows).toEqual(rows);
  expect(foreseen.unforeseen).toEqual([
    `Triggers of public.${table} do not fire in a dry run; what they change, leave out or refuse is not counted: noted.`,
  ]);
});

test('with --verify-first: nothing of any table, and why, as in the restore', async () => {
  const tables = ['stock_skip', 'stock_upsert'];
  await writeArchive((key, body) => thaw.bucket.put(key, body), {
    ...{ database: thaw.database.name, table: 'sound', archivedAt: new Date('2026-01-04T05:20:21Z') },
    ...{ rows: [{ id: 1 }], primaryKey: 'id' },
  });
  await thaw.pg.query('create table sound (id int primary key)');
  const request = thaw.request([...tables, 'sound'], { verifyFirst: true, ignoreWatermark: true });
  const { config } = thaw;
  const { signal } = new AbortController();
  const previews = await previewRestore(request, { config, env: {}, detectConflicts: true, signal });
  await thaw.restores.start(request);
  const outcome = await thaw.restores.outcome(request.restoreId);
  const told = outcome.tables.map(({ target: _, ...rest }) => rest);
  expect(previews.map((each) => each.outcome)).toMatchObject(told);
  expect(told.map(({ tally, error }) => [tally.archives.failed, error?.code])).toEqual([
    [1, 'ChecksumMismatch'],
    [1, 'ChecksumMismatch'],
    [0, undefined],
  ]);
});

test('a table that would be made: the numbers are those of the restore that makes it', async () => {
  const columns = [
    { name: 'id', data_type: 'integer', udt_name: 'int4', is_nullable: false },
    { name: 'note', data_type: 'text', udt_name: 'text', is_nullable: true },
  ];
  const tableSchema = { columns, primary_key: { constraint_name: 'new_pkey', columns: ['id'] } };
  await writeArchive((key, body) => thaw.bucket.put(key, body), {
    ...{ database: thaw.database.name, table: 'fresh', archivedAt: new Date('2026-01-04T05:20:21Z') },
    ...{
      rows: [
        { id: 1, note: 'a' },
        { id: 1, note: 'b' },
        { id: 2, note: 'c' },
      ],
      primaryKey: 'id',
      tableSchema,
    },
  });
  await writeArchive((key, body) => thaw.bucket.put(key, body), {
    ...{ database: thaw.database.name, table: 'fresh', archivedAt: new Date('2026-01-04T05:20:21Z') },
    ...{ batch: 2, rows: [{ id: null, note: 'd' }], primaryKey: 'id' },
  });
  const request = thaw.request([{ table: 'fresh', intoTable: 'made' }], { createTable: true });
  const foreseen = await preview(request);
  const { rows } = await thaw.pg.query(`select to_regclass('made') as made`);
  expect(rows).toEqual([{ made: null }]);
  expect(foreseen.tally.rows).toEqual({ inserted: 2, updated: 0, skipped: 1, failed: 1 });
  expect(foreseen.unforeseen).toEqual(['Foreign keys of a table that would be made are not looked at.']);

  await thaw.restores.start(request);
  const [done] = (await thaw.restores.outcome(request.restoreId)).tables;
  expect(foreseen.tally).toEqual(done?.tally);
  expect(foreseen.failures).toEqual(done?.failures.map((each) => ({ ...each, stage: expect.anything() })));
});
