import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LoadOutcome } from '../../src/contract/activities.ts';
import { type ConflictStrategy, conflictStrategies } from '../../src/contract/restore-request.ts';
import type { ArchivedRow } from '../harness/archive-writer.ts';
import { asAdministrator } from '../harness/postgres.ts';
import { createLoadSite, type LoadHow, type LoadSite } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_targets');
});

afterAll(async () => {
  await site.close();
});

afterEach(async () => {
  await site.pg.query('drop table if exists items, log cascade');
});

/** Loads rows as one archive of a restore of its own. */
async function load(
  rows: readonly ArchivedRow[],
  options: Parameters<LoadSite['restore']>[1] = {},
  how: LoadHow = {},
): Promise<LoadOutcome> {
  const restore = await site.restore('items', options);
  const outcome = await restore.load([await site.archive(1, rows)], 0, how).outcome;
  await site.pg.query('update thaw.targets set released_at = now(); truncate thaw.archives');
  return outcome;
}

function counts(inserted: number, updated: number, skipped: number) {
  return { inserted, updated, skipped, failed: 0 };
}

async function query(text: string): Promise<unknown[]> {
  return (await site.pg.query(text)).rows;
}

const archived = [
  { id: 1, note: 'new' },
  { id: 2, note: 'new' },
];

test.each<[ConflictStrategy, string[] | null]>([
  ['skip', null],
  ['overwrite', null],
  ['fail', null],
  ['skip', ['id']],
  ['overwrite', ['id']],
  ['fail', ['id']],
])('a row of an inheriting table is none of the table: %s by %s', async (conflictStrategy, keyColumns) => {
  await site.pg.query(`
    create table items (id int ${keyColumns === null ? 'primary key' : ''}, note text);
    create table older () inherits (items);
    insert into older values (1, 'older')`);
  const outcome = await load(archived, { conflictStrategy, keyColumns });
  expect(outcome).toMatchObject({ failures: [], tally: { rows: counts(2, 0, 0) } });
  expect(await query('select id, note from only items order by id')).toEqual(archived);
  expect(await query('select * from older')).toEqual([{ id: 1, note: 'older' }]);
});

test('an inheriting table is a target of its own', async () => {
  await site.pg.query(`
    create table base (id int, note text);
    create table items (primary key (id)) inherits (base);
    insert into items values (1, 'old')`);
  expect((await load(archived)).tally.rows).toEqual(counts(1, 0, 1));
  expect((await load(archived, { conflictStrategy: 'overwrite' })).tally.rows).toEqual(counts(0, 1, 1));
  expect(await query('select * from items order by id')).toEqual(archived);
  await site.pg.query('drop table base cascade');
});

test('fail names the line where a partition has the key, and leaves all partitions as they were', async () => {
  await site.pg.query(`
    create table items (id int primary key, note text) partition by hash (id);
    create table items_0 partition of items for values with (modulus 2, remainder 0);
    create table items_1 partition of items for values with (modulus 2, remainder 1);
    insert into items values (7, 'old')`);
  const rows = Array.from({ length: 9 }, (_, place) => ({ id: place + 1, note: 'new' }));
  expect((await load(rows, { conflictStrategy: 'fail' })).failures).toMatchObject([
    { code: 'ConflictFound', message: expect.stringMatching(/line 7 conflicts .* on id/) },
  ]);
  expect(await query('select * from items')).toEqual([{ id: 7, note: 'old' }]);
});

test('--key finds a row in another partition, and overwrite moves it', async () => {
  const sql = `
    drop table if exists items;
    create table items (id int, kind text, note text) partition by list (kind);
    create table items_a partition of items for values in ('a');
    create table items_b partition of items for values in ('b');
    insert into items values (1, 'a', 'old'), (2, 'a', 'same')`;
  const rows = [
    { id: 1, kind: 'b', note: 'new' },
    { id: 2, kind: 'a', note: 'same' },
    { id: 3, kind: 'b', note: 'first' },
    { id: 3, kind: 'a', note: 'last' },
  ];
  const results = new Map<ConflictStrategy, unknown>();
  for (const conflictStrategy of conflictStrategies) {
    await site.pg.query(sql);
    const { tally, failures } = await load(rows, { conflictStrategy, keyColumns: ['id'] });
    const left = await query(
      `select tableoid::regclass::text || ' ' || id || ' ' || note as row from items order by id`,
    );
    results.set(conflictStrategy, [
      tally.rows,
      failures.length,
      left.map((each) => Object.values(each as object)[0]),
    ]);
  }
  const overwritten = [counts(1, 1, 2), 0, ['items_b 1 new', 'items_a 2 same', 'items_a 3 last']];
  expect(results.get('skip')).toEqual([
    counts(1, 0, 3),
    0,
    ['items_a 1 old', 'items_a 2 same', 'items_b 3 first'],
  ]);
  expect(results.get('overwrite')).toEqual(overwritten);
  expect(results.get('upsert')).toEqual(overwritten);
  expect(results.get('fail')).toMatchObject([{ inserted: 0 }, 1, ['items_a 1 old', 'items_a 2 same']]);
});

test('beside partial and expression indexes, --key says what is updated, and they what fails', async () => {
  await site.pg.query(`
    create table items (id int, code text, note text);
    create unique index live on items (id) where id > 0;
    create unique index by_code on items (lower(code));
    insert into items values (1, 'A', 'old'), (2, 'B', 'old')`);
  const options = { conflictStrategy: 'overwrite', keyColumns: ['id'] } as const;
  const good = [
    { id: 1, code: 'a', note: 'new' },
    { id: 3, code: 'C', note: 'new' },
    { id: -1, code: 'D', note: 'x' },
  ];
  expect((await load(good, options)).tally.rows).toEqual(counts(2, 1, 0));
  const before = await query('select * from items order by id');
  expect(before).toHaveLength(4);
  const bad = [
    { id: 9, code: 'Z', note: 'x' },
    { id: 3, code: 'b', note: 'takes the code of 2' },
  ];
  expect((await load(bad, options)).failures).toMatchObject([
    { code: 'ConflictFound', message: expect.stringContaining('by_code') },
  ]);
  expect(await query('select * from items order by id')).toEqual(before);
});

test('an identity that is always generated is restored by every strategy, beside generated columns', async () => {
  const sql = `
    drop table if exists items;
    create table items (
      id int generated always as identity primary key, note text, twice int generated always as (id * 2) stored);
    insert into items (id, note) overriding system value values (5, 'old')`;
  const rows = [
    { id: 5, note: 'new', twice: 0 },
    { id: 8, note: 'new', twice: 0 },
  ];
  const note = async (strategy: ConflictStrategy, keyColumns: string[] | null, given = rows) => {
    await site.pg.query(sql);
    const outcome = await load(given, { conflictStrategy: strategy, keyColumns });
    expect(outcome.failures, strategy).toEqual([]);
    return query('select id, note, twice from items order by id');
  };
  const left = (first: string) => [
    { id: 5, note: first, twice: 10 },
    { id: 8, note: 'new', twice: 16 },
  ];
  expect(await note('skip', null)).toEqual(left('old'));
  expect(await note('overwrite', null)).toEqual(left('new'));
  expect(await note('overwrite', ['id'])).toEqual(left('new'));
  expect(await note('fail', null, rows.slice(1))).toEqual(left('old'));
});

test('rows that a trigger swallows are counted as skipped, and those that it changes as they are', async () => {
  await site.pg.query(`
    create table items (id int primary key, note text);
    create or replace function sieve() returns trigger language plpgsql as $$
      begin
        if new.id = 2 then return null; end if;
        new.note := new.note || '!';
        return new;
      end $$;
    create trigger sieve before insert or update on items for each row execute function sieve()`);
  expect((await load(archived)).tally.rows).toEqual(counts(1, 0, 1));
  expect(await query('select * from items')).toEqual([{ id: 1, note: 'new!' }]);
});

test('a row that row-level security hides is kept by skip, and fails the archive under overwrite', async () => {
  const role = `thaw_targets_${process.pid}`;
  await asAdministrator(`create role ${role}`);
  try {
    await site.pg.query(`
      create table items (id int primary key, note text, hidden boolean default false);
      insert into items values (1, 'hidden', true);
      grant usage on schema thaw, public to ${role};
      grant all on all tables in schema thaw to ${role};
      grant all on items to ${role};
      alter table items enable row level security;
      create policy visible on items using (not hidden)`);
    const as = async (conflictStrategy: ConflictStrategy) => {
      await site.pg.query(`set role ${role}`);
      const restore = await site
        .restore('items', { conflictStrategy })
        .finally(() => site.pg.query('reset role'));
      const outcome = await restore.load([await site.archive(1, archived)], 0, { role }).outcome;
      await site.pg.query('update thaw.targets set released_at = now(); truncate thaw.archives');
      return outcome;
    };
    expect((await as('overwrite')).failures).toMatchObject([
      { code: 'RowRejected', message: expect.stringContaining('row-level security') },
    ]);
    expect((await as('skip')).tally.rows).toEqual(counts(1, 0, 1));
    expect(await query('select id, note from items order by id')).toEqual([
      { id: 1, note: 'hidden' },
      { id: 2, note: 'new' },
    ]);
  } finally {
    await site.pg.query(`drop table items; drop owned by ${role}`);
    await asAdministrator(`drop role ${role}`);
  }
});
