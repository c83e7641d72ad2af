import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createLoadSite, type LoadSite } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_rejects');
});

afterAll(async () => {
  await site.close();
});

afterEach(async () => {
  await site.pg.query('drop table items cascade; drop table if exists owners; truncate thaw.rejected_rows');
});

/** The records of an archive, in which some lines are bad in their ways. */
function records(count: number, bad: Readonly<Record<number, object>>) {
  return Array.from({ length: count }, (_, place) => ({
    id: place + 1,
    note: `note ${place + 1}`,
    size: 1,
    owner: 1,
    ...bad[place + 1],
  }));
}

const table = `
  create table owners (id int primary key);
  insert into owners values (1);
  create table items (
    id int primary key, note text not null, size int check (size > 0), owner int references owners
  )`;

const bad = {
  17: { note: null },
  4000: { size: 'secret words' },
  5001: { size: -1 },
  9000: { owner: 7 },
  10000: { note: 'a\u0000b' },
};

async function kept() {
  const { rows } = await site.pg.query(
    'select line, column_name, sqlstate, message, content from thaw.rejected_rows order by line, id',
  );
  return rows.map(({ content, ...row }) => ({ ...row, id: JSON.parse(content).id }));
}

test.each(['direct', 'staged'])('only the bad rows of 10,000 are left out, and kept: %s', async (way) => {
  await site.pg.query(table);
  // A row that is there already makes the direct way give up.
  if (way === 'staged') await site.pg.query(`insert into items values (2, 'kept', 1, 1)`);
  const archive = await site.archive(1, records(10_000, bad), { metadata: true });
  const restore = await site.restore('items', { maxRejects: 5 });
  const load = restore.load([archive], 0);

  const outcome = await load.outcome;

  const there = way === 'staged' ? 1 : 0;
  expect(outcome.failures).toEqual([]);
  expect(outcome.tally).toMatchObject({
    archives: { restored: 1, earlier: 0, failed: 0 },
    rows: { inserted: 9995 - there, updated: 0, skipped: there, failed: 5 },
  });
  expect(await kept()).toEqual([
    { line: 17, column_name: 'note', sqlstate: '23502', id: 17, message: expect.any(String) },
    { line: 4000, column_name: 'size', sqlstate: '22P02', id: 4000, message: expect.any(String) },
    { line: 5001, column_name: null, sqlstate: '23514', id: 5001, message: expect.any(String) },
    { line: 9000, column_name: null, sqlstate: '23503', id: 9000, message: expect.any(String) },
    { line: 10_000, column_name: 'note', sqlstate: null, id: 10_000, message: expect.any(String) },
  ]);
  expect(JSON.stringify(await kept())).not.toContain('secret');
  const { rows } = await site.pg.query(
    `select count(*) as rows, array_agg(id order by id) filter (where id in (17, 4000, 5001, 9000, 10000)) as bad,
       count(*) filter (where note = 'note ' || id and size = 1 and owner = 1) as exact from items`,
  );
  expect(rows).toEqual([{ rows: 9995, bad: null, exact: 9995 - there }]);
  // It is not done again for each bad row, and what commits has no savepoint.
  const begins = load.statements.filter((statement) => statement === 'begin').length;
  expect(begins).toBeLessThanOrEqual(4);
  expect(load.statements.slice(load.statements.lastIndexOf('begin')).join()).not.toContain('savepoint');
  const ledger = await site.pg.query(
    'select state, rows, inserted, rejected from thaw.archives where restore_id = $1',
    [restore.restoreId],
  );
  expect(ledger.rows).toEqual([{ state: 'restored', rows: 10_000, inserted: 9995 - there, rejected: 5 }]);
});

test('one bad row too many fails the archive, and nothing is kept', async () => {
  await site.pg.query(table);
  const archive = await site.archive(1, records(10_000, bad), { metadata: true });
  const outcome = await (await site.restore('items', { maxRejects: 4 })).load([archive], 0).outcome;

  expect(outcome.failures).toMatchObject([
    {
      code: 'RowRejected',
      message: expect.stringContaining('more than 4 rows are not accepted'),
      rows: 10_000,
    },
  ]);
  expect(JSON.stringify(outcome)).not.toContain('secret');
  expect(await kept()).toEqual([]);
  expect((await site.pg.query('select from items')).rowCount).toBe(0);
});

test('two bad archives of a pack lose their bad rows only', async () => {
  await site.pg.query(table);
  const archives = [1, 2, 3].map((batch) => records(3, batch === 2 ? {} : { 2: { size: 0 } }));
  const refs = [];
  for (const [place, rows] of archives.entries()) {
    refs.push(
      await site.archive(
        place + 1,
        rows.map((row) => ({ ...row, id: row.id + 10 * place })),
      ),
    );
  }
  const outcome = await (await site.restore('items', { maxRejects: 1 })).load(refs, 0).outcome;

  expect(outcome.tally).toMatchObject({
    archives: { restored: 3, failed: 0 },
    rows: { inserted: 7, failed: 2 },
  });
  expect((await kept()).map(({ id }) => id)).toEqual([2, 22]);
});

test('a key that is there already is a conflict under fail, and no reject', async () => {
  await site.pg.query(table);
  await site.pg.query(`insert into items values (2, 'kept', 1, 1)`);
  const archive = await site.archive(1, records(3, { 3: { size: 0 } }));
  const restore = await site.restore('items', { maxRejects: 3, conflictStrategy: 'fail' });

  expect((await restore.load([archive], 0).outcome).failures).toMatchObject([{ code: 'ConflictFound' }]);
  expect(await kept()).toEqual([]);
});

test('what a disabled trigger would refuse is no bad row', async () => {
  await site.pg.query(table);
  await site.pg.query(`
    create or replace function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
    create trigger refuse before insert on items for each row when (new.id = 2) execute function refuse()`);
  const archive = await site.archive(1, records(4, { 3: { size: 0 } }));
  const restore = await site.restore('items', { maxRejects: 1, disableTriggers: true });

  expect((await restore.load([archive], 0).outcome).tally.rows).toMatchObject({ inserted: 3, failed: 1 });
  expect((await kept()).map(({ id }) => id)).toEqual([3]);
  const { rows } = await site.pg.query('select tgenabled from pg_trigger where tgname = $1', ['refuse']);
  expect(rows).toEqual([{ tgenabled: 'O' }]);
});
