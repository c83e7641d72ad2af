import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RestoreOutcome, RowCounts } from '../../src/contract/outcome.ts';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { type ArchivedRow, raw, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('strategies');
});

afterAll(async () => {
  await thaw.close();
});

/** An equal row, one that differs, one that is absent, one that is only in the table. */
const halfFilled = {
  sql: `create table NAME (id int primary key, note text, amount numeric);
    insert into NAME values (1, 'same', 1.0), (2, 'old', 2.0), (9, 'mine', null)`,
  archives: [
    [
      { id: 1, note: 'same', amount: '1.0' },
      { id: 2, note: 'new', amount: '2.0' },
      { id: 3, note: 'new', amount: null },
    ],
    [{ id: 4, note: 'new', amount: null }],
  ],
};

describe('a table that has some of the rows', () => {
  test.each<[RestoreOptions['conflictStrategy'], string, Partial<RowCounts>]>([
    ['skip', 'old', { inserted: 2, skipped: 2 }],
    ['overwrite', 'new', { inserted: 2, updated: 1, skipped: 1 }],
    ['upsert', 'new', { inserted: 2, updated: 1, skipped: 1 }],
  ])('%s', async (conflictStrategy, second, counts) => {
    const table = `half_${conflictStrategy}`;
    await prepare(table, halfFilled.sql, halfFilled.archives);

    const outcome = await thaw.restore([table], { conflictStrategy });

    expectRows(outcome, counts, 2);
    const expected = [
      { id: 1, note: 'same', amount: '1.0' },
      { id: 2, note: second, amount: '2.0' },
      { id: 3, note: 'new', amount: null },
      { id: 4, note: 'new', amount: null },
      { id: 9, note: 'mine', amount: null },
    ];
    expect(await rowsOf(table)).toEqual(expected);

    // The ledger knows the archives; without it every row is there already.
    const again = await thaw.restore([table], { conflictStrategy });
    expect(again.state).toBe('completed');
    expect(again.tally).toMatchObject({
      archives: { restored: 0, earlier: 2, failed: 0 },
      rows: rows({}),
    });
    const anyhow = await thaw.restore([table], { conflictStrategy, ignoreWatermark: true });
    expectRows(anyhow, { skipped: 4 }, 2);
    expect(await rowsOf(table)).toEqual(expected);
  });

  test('fail: nothing of the archive that conflicts, and all of the other', async () => {
    await prepare('half_fail', halfFilled.sql, halfFilled.archives);

    const outcome = await thaw.restore(['half_fail'], { conflictStrategy: 'fail' });

    expect(outcome.state).toBe('completed_with_failures');
    expect(outcome.tally).toMatchObject({
      archives: { restored: 1, earlier: 0, failed: 1 },
      rows: rows({ inserted: 1, failed: 3 }),
    });
    expect(outcome.tables[0]?.failures).toMatchObject([
      { code: 'ConflictFound', archive: expect.stringContaining('_batch_001'), rows: 3 },
    ]);
    expect(await rowsOf('half_fail')).toEqual([
      { id: 1, note: 'same', amount: '1.0' },
      { id: 2, note: 'old', amount: '2.0' },
      { id: 4, note: 'new', amount: null },
      { id: 9, note: 'mine', amount: null },
    ]);
    // What failed is tried again by the next restore, which leaves out what succeeded.
    const again = await thaw.restore(['half_fail'], { conflictStrategy: 'skip' });
    expect(again.tally).toMatchObject({
      archives: { restored: 1, earlier: 1, failed: 0 },
      rows: rows({ inserted: 1, skipped: 2 }),
    });
  });
});

describe('a key that comes twice in an archive', () => {
  const archives = [
    [
      { id: 1, note: 'first' },
      { id: 2, note: 'only' },
      { id: 1, note: 'last' },
    ],
  ];
  test.each<[RestoreOptions['conflictStrategy'], string]>([
    ['skip', 'first'],
    ['overwrite', 'last'],
    ['upsert', 'last'],
  ])('%s keeps the %s', async (conflictStrategy, kept) => {
    const table = `twice_${conflictStrategy}`;
    await prepare(table, 'create table NAME (id int primary key, note text)', archives);
    const outcome = await thaw.restore([table], { conflictStrategy });
    expectRows(outcome, { inserted: 2, skipped: 1 }, 1);
    expect(await rowsOf(table)).toEqual([
      { id: 1, note: kept },
      { id: 2, note: 'only' },
    ]);
  });

  test('fail refuses the archive', async () => {
    await prepare('twice_fail', 'create table NAME (id int primary key, note text)', archives);
    const outcome = await thaw.restore(['twice_fail'], { conflictStrategy: 'fail' });
    expect(outcome.tables[0]?.failures).toMatchObject([{ code: 'ConflictFound' }]);
    expect(await rowsOf('twice_fail')).toEqual([]);
  });
});

describe('a unique key that may be NULL', () => {
  const archives = [
    [
      { code: null, note: 'a' },
      { code: null, note: 'b' },
      { code: 1, note: 'c' },
      { code: 1, note: 'd' },
    ],
  ];
  test.each<[RestoreOptions['conflictStrategy'], Partial<RowCounts>, string]>([
    ['skip', { inserted: 3, skipped: 1 }, 'c'],
    ['overwrite', { inserted: 3, skipped: 1 }, 'd'],
  ])('%s takes no two NULLs for one key', async (conflictStrategy, counts, kept) => {
    const table = `nulls_${conflictStrategy}`;
    await prepare(
      table,
      `create table NAME (code int unique, note text); insert into NAME values (null, 'old')`,
      archives,
    );
    const outcome = await thaw.restore([table], { conflictStrategy });
    expectRows(outcome, counts, 1);
    const notes = (await rowsOf(table)).map(({ code, note }) => `${code} ${note}`);
    expect(notes.sort()).toEqual([`1 ${kept}`, 'null a', 'null b', 'null old'].sort());
  });

  test('is one key where the index of a partitioned table says so', async () => {
    await prepare(
      'nulls_parts',
      `create table NAME (code int, note text, unique nulls not distinct (code)) partition by list (code);
       create table NAME_a partition of NAME for values in (1);
       create table NAME_b partition of NAME default;
       insert into NAME values (null, 'old')`,
      archives,
    );
    const outcome = await thaw.restore(['nulls_parts'], { conflictStrategy: 'overwrite' });
    expectRows(outcome, { inserted: 1, updated: 1, skipped: 2 }, 1);
  });

  test('is one key where the index says so', async () => {
    await prepare(
      'nulls_same',
      `create table NAME (code int unique nulls not distinct, note text); insert into NAME values (null, 'old')`,
      archives,
    );
    const outcome = await thaw.restore(['nulls_same'], { conflictStrategy: 'overwrite' });
    expectRows(outcome, { inserted: 1, updated: 1, skipped: 2 }, 1);
    const notes = (await rowsOf('nulls_same')).map(({ code, note }) => `${code} ${note}`);
    expect(notes.sort()).toEqual(['1 d', 'null b']);
  });
});

test('composite key, quoted names, another schema, generated and identity columns, another table', async () => {
  await thaw.pg.query(`
    create schema "Old Stock";
    create table "Old Stock"."Order ""Lines""" (
      "Order" int, "Line No" int, "Number" bigint generated always as identity, "select" text,
      twice int generated always as ("Line No" * 2) stored,
      primary key ("Order", "Line No"));
    insert into "Old Stock"."Order ""Lines""" ("Order", "Line No", "Number", "select")
    overriding system value values (1, 1, 11, 'old'), (1, 2, 12, 'same')`);
  const line = (order: number, no: number, number: number, select: string): ArchivedRow => ({
    Order: order,
    'Line No': no,
    Number: number,
    select,
    twice: no * 2,
  });
  await archive('lines', [[line(1, 1, 11, 'new'), line(1, 2, 12, 'same'), line(2, 1, 21, 'new')]]);

  const target = { table: 'lines', intoSchema: 'Old Stock', intoTable: 'Order "Lines"' };
  const outcome = await thaw.restore([target], { conflictStrategy: 'overwrite' });

  expectRows(outcome, { inserted: 1, updated: 1, skipped: 1 }, 1);
  const { rows: found } = await thaw.pg.query(`select * from "Old Stock"."Order ""Lines""" order by 1, 2`);
  expect(found).toEqual([
    { Order: 1, 'Line No': 1, Number: '11', select: 'new', twice: 2 },
    { Order: 1, 'Line No': 2, Number: '12', select: 'same', twice: 4 },
    { Order: 2, 'Line No': 1, Number: '21', select: 'new', twice: 2 },
  ]);
  const { rows: next } = await thaw.pg.query(
    `insert into "Old Stock"."Order ""Lines""" ("Order", "Line No") values (3, 1) returning "Number"`,
  );
  expect(next).toEqual([{ Number: '22' }]);
});

test('overwrite says so where it would have to change an identity column that is always generated', async () => {
  await prepare(
    'identities',
    `create table NAME (id bigint generated always as identity, code int primary key, note text);
     insert into NAME (id, code, note) overriding system value values (5, 1, 'old'), (6, 2, 'old')`,
    [[{ id: 5, code: 1, note: 'new' }], [{ id: 7, code: 2, note: 'new' }]],
  );
  const outcome = await thaw.restore(['identities'], { conflictStrategy: 'overwrite' });
  expect(outcome.tables[0]?.failures).toMatchObject([
    { code: 'ConflictFound', archive: expect.stringContaining('_batch_002') },
  ]);
  expect(outcome.tally.rows).toEqual(rows({ updated: 1, failed: 1 }));
  expect(await rowsOf('identities')).toEqual([
    { id: '5', code: 1, note: 'new' },
    { id: '6', code: 2, note: 'old' },
  ]);
});

describe('a partitioned table', () => {
  const sql = `create table NAME (id int, at date, note text, primary key (id, at)) partition by range (at);
    create table NAME_a partition of NAME for values from ('2026-01-01') to ('2026-02-01');
    create table NAME_b partition of NAME for values from ('2026-02-01') to ('2026-03-01');
    insert into NAME values (1, '2026-01-05', 'same'), (2, '2026-02-05', 'old')`;
  const archives = [
    [
      { id: 1, at: '2026-01-05', note: 'same' },
      { id: 2, at: '2026-02-05', note: 'new' },
      { id: 3, at: '2026-02-06', note: 'new' },
      { id: 3, at: '2026-02-06', note: 'newer' },
    ],
  ];
  test.each<[RestoreOptions['conflictStrategy'], Partial<RowCounts>, string, string]>([
    ['skip', { inserted: 1, skipped: 3 }, 'old', 'new'],
    ['overwrite', { inserted: 1, updated: 1, skipped: 2 }, 'new', 'newer'],
  ])('%s', async (conflictStrategy, counts, second, third) => {
    const table = `parts_${conflictStrategy}`;
    await prepare(table, sql, archives);
    const outcome = await thaw.restore([table], { conflictStrategy });
    expectRows(outcome, counts, 1);
    expect((await rowsOf(table)).map(({ id, note }) => [id, note])).toEqual([
      [1, 'same'],
      [2, second],
      [3, third],
    ]);
  });
});

test('overwrite compares json by its text and numbers by their digits', async () => {
  await prepare(
    'exact',
    `create table NAME (id int primary key, doc json, amount numeric);
     insert into NAME values (1, '{"a": 1}', 1.0), (2, '{"a": 1}', 1.0), (3, '{"a": 1}', 1.0)`,
    [
      [
        { id: 1, doc: { a: 1 }, amount: '1.0' },
        { id: 2, doc: { a: 2 }, amount: '1.0' },
        { id: 3, doc: { a: 1 }, amount: '1.00' },
      ],
    ],
  );
  const outcome = await thaw.restore(['exact'], { conflictStrategy: 'overwrite' });
  expectRows(outcome, { updated: 2, skipped: 1 }, 1);
  const { rows: found } = await thaw.pg.query('select id, doc::text, amount from exact order by id');
  expect(found).toEqual([
    { id: 1, doc: '{"a": 1}', amount: '1.0' },
    { id: 2, doc: '{"a": 2}', amount: '1.0' },
    { id: 3, doc: '{"a": 1}', amount: '1.00' },
  ]);
});

describe('a conflict at a second unique index', () => {
  const sql = `create table NAME (id int primary key, code int unique, note text);
    insert into NAME values (1, 10, 'old'), (2, 20, 'old')`;
  const archives = [[{ id: 3, code: 10, note: 'new' }], [{ id: 2, code: 21, note: 'new' }]];

  test('skip keeps the row that is there', async () => {
    await prepare('second_skip', sql, archives);
    const outcome = await thaw.restore(['second_skip']);
    expectRows(outcome, { skipped: 2 }, 2);
    expect((await rowsOf('second_skip')).map(({ id, code }) => [id, code])).toEqual([
      [1, 10],
      [2, 20],
    ]);
  });

  test('overwrite fails the archive', async () => {
    await prepare('second_overwrite', sql, archives);
    const outcome = await thaw.restore(['second_overwrite'], { conflictStrategy: 'overwrite' });
    expect(outcome.state).toBe('completed_with_failures');
    expect(outcome.tables[0]?.failures).toMatchObject([
      {
        code: 'ConflictFound',
        archive: expect.stringContaining('_batch_001'),
        message: expect.stringContaining('second_overwrite_code_key'),
      },
    ]);
    expect(outcome.tally.rows).toEqual(rows({ updated: 1, failed: 1 }));
    expect((await rowsOf('second_overwrite')).map(({ id, code }) => [id, code])).toEqual([
      [1, 10],
      [2, 21],
    ]);
  });
});

describe('a table without a key', () => {
  const archives = [[{ note: 'a' }, { note: 'a' }], [{ note: 'b' }]];

  test.each<RestoreOptions['conflictStrategy']>(['skip', 'fail'])(
    '%s inserts all',
    async (conflictStrategy) => {
      const table = `keyless_${conflictStrategy}`;
      await prepare(table, `create table NAME (note text); insert into NAME values ('a')`, archives);
      const outcome = await thaw.restore([table], { conflictStrategy });
      expectRows(outcome, { inserted: 3 }, 2);
      expect((await rowsOf(table)).map(({ note }) => note).sort()).toEqual(['a', 'a', 'a', 'b']);
    },
  );

  test('overwrite refuses it', async () => {
    await prepare('keyless_overwrite', 'create table NAME (note text)', archives);
    const outcome = await thaw.restore(['keyless_overwrite'], { conflictStrategy: 'overwrite' });
    expect(outcome).toMatchObject({
      state: 'failed',
      tables: [
        { error: { code: 'SchemaIncompatible', message: expect.stringContaining('needs a primary key') } },
      ],
    });
    expect(await rowsOf('keyless_overwrite')).toEqual([]);
  });
});

describe('a table for which PostgreSQL has no `on conflict`', () => {
  const archives = [
    [
      { id: 1, note: 'new' },
      { id: 2, note: 'new' },
      { id: 2, note: 'newer' },
    ],
    [{ id: 3, note: 'new' }],
  ];
  const late = 'create table NAME (id int primary key deferrable initially deferred, note text);';
  const ruled = `create table NAME (id int primary key, note text);
    create rule NAME_final as on update to NAME do instead nothing;`;

  test.each([
    ['a key that is checked late', 'late_skip', late],
    ['a rewrite rule', 'ruled_skip', ruled],
  ])('skip beside %s keeps the row that is there', async (_, table, sql) => {
    await prepare(table, `${sql} insert into NAME values (1, 'old')`, archives);
    const outcome = await thaw.restore([table]);
    expectRows(outcome, { inserted: 2, skipped: 2 }, 2);
    expect(await rowsOf(table)).toEqual([
      { id: 1, note: 'old' },
      { id: 2, note: 'new' },
      { id: 3, note: 'new' },
    ]);
  });

  test('overwrite refuses rules', async () => {
    await prepare('ruled_overwrite', ruled, archives);
    const outcome = await thaw.restore(['ruled_overwrite'], { conflictStrategy: 'overwrite' });
    expect(outcome.tables[0]?.error).toMatchObject({
      code: 'SchemaIncompatible',
      message: expect.stringContaining('rule ruled_overwrite_final'),
    });
    expect(await rowsOf('ruled_overwrite')).toEqual([]);
  });

  test('fail refuses the archive beside a key that is checked late', async () => {
    await prepare(
      'late_fail',
      `create table NAME (id int primary key deferrable initially deferred, note text);
       insert into NAME values (1, 'old')`,
      archives,
    );
    const outcome = await thaw.restore(['late_fail'], { conflictStrategy: 'fail' });
    expect(outcome.tables[0]?.failures).toMatchObject([{ code: 'ConflictFound' }]);
    expect(await rowsOf('late_fail')).toEqual([
      { id: 1, note: 'old' },
      { id: 3, note: 'new' },
    ]);
  });
});

test('a number beyond what JavaScript holds is found by its key', async () => {
  await prepare(
    'big',
    `create table NAME (id numeric primary key); insert into NAME values (9007199254740993.10)`,
    [[{ id: raw('9007199254740993.10') }, { id: raw('9007199254740993.11') }]],
  );
  expectRows(await thaw.restore(['big']), { inserted: 1, skipped: 1 }, 1);
});

/** Makes a table, `NAME` in the statements, and its archives. */
async function prepare(
  table: string,
  sql: string,
  archives: readonly (readonly ArchivedRow[])[],
): Promise<void> {
  await thaw.pg.query(sql.replaceAll('NAME', table));
  await archive(table, archives);
}

async function archive(table: string, archives: readonly (readonly ArchivedRow[])[]): Promise<void> {
  for (const [place, rows] of archives.entries()) {
    await writeArchive(thaw.bucket.put, {
      database: thaw.database.name,
      table,
      archivedAt: new Date('2026-01-04T05:20:21Z'),
      batch: place + 1,
      rows,
      primaryKey: 'id',
    });
  }
}

async function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  const { rows } = await thaw.pg.query<Record<string, unknown>>(`select * from ${table} order by 1`);
  return rows;
}

function expectRows(outcome: RestoreOutcome, counts: Partial<RowCounts>, archives: number): void {
  expect(outcome.tables.map(({ error, failures }) => ({ error, failures }))).toEqual([
    { error: null, failures: [] },
  ]);
  expect(outcome).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: archives, earlier: 0, failed: 0 }, rows: rows(counts) },
  });
}

function rows(counts: Partial<RowCounts>): RowCounts {
  return { inserted: 0, updated: 0, skipped: 0, failed: 0, ...counts };
}
