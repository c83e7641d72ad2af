import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ArchiveRef } from '../../src/contract/activities.ts';
import { type ConflictStrategy, defaultRestoreOptions } from '../../src/contract/restore-request.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import { readTimeRange } from '../../src/postgres/time-range.ts';
import { createLoadSite, type LoadSite } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('row_range');
});

afterAll(async () => {
  await site.close();
});

beforeEach(async () => {
  await site.pg.query('truncate thaw.targets, thaw.archives');
});

/** Two archives: one of which all is within January, and one of the days around its end. */
const times = [
  ['2026-01-01T00:00:00', '2026-01-30T12:00:00'],
  ['2026-01-31T00:00:00', '2026-01-31T23:59:59.999999', '2026-02-01T00:00:00', null],
];

test.each<[string, string, string | null, string | null, number[]]>([
  ['timestamptz', '+00:00', '2026-01-01', '2026-01-31', [1, 2, 3, 4]],
  ['timestamptz', '+00:00', '2026-01-30 13:00+01', '2026-01-31T01:00:00+01:00', [2]],
  ['timestamptz', '+00:00', null, '2026-01-31T00:00:00', [1, 2]],
  ['timestamp', 'Z', '2026-01-30T12:00:00.000001', null, [3, 4, 5]],
  ['timestamp', 'Z', '2026-01-01', '2026-01-31', [1, 2, 3, 4]],
  ['date', '', '2026-01-31', '2026-01-31', [3, 4]],
  ['date', '', '2026-01-31', '2026-02-01T12:00:00', [3, 4, 5]],
])('%s: rows from %s… to', async (type, zone, from, to, ids) => {
  const archives = await write(type, zone, false);
  const restore = await site.restore('items');
  const { outcome } = restore.load(archives, 0, { range: { column: 'at', from, to } });
  const { tally, columnNotes } = await outcome;
  expect(await idsOf()).toEqual(ids);
  expect(tally.rows).toEqual({ inserted: ids.length, updated: 0, skipped: 0, failed: 0 });
  expect(tally.archives).toEqual({ restored: 2, earlier: 0, failed: 0 });
  const others = 5 - ids.length;
  const note = { column: 'at', kind: 'out_of_range', values: others };
  expect(columnNotes).toEqual(
    expect.arrayContaining([{ column: 'at', kind: 'untimed', values: 1 }, ...(others === 0 ? [] : [note])]),
  );
});

test.each<ConflictStrategy>(['skip', 'overwrite'])('rows of another time change nothing: %s', async (way) => {
  const archives = await write('timestamptz', '+00:00', true);
  await site.pg.query(`insert into items select id, null, 'mine' from generate_series(1, 6) as id`);
  const restore = await site.restore('items', { conflictStrategy: way });
  const range = { column: 'at', from: '2026-01-31', to: '2026-01-31' };
  const { tally } = await restore.load(archives, 0, { range }).outcome;
  const { rows } = await site.pg.query(`select id from items where note <> 'mine' order by id`);
  expect(rows).toEqual(way === 'skip' ? [] : [{ id: 3 }, { id: 4 }]);
  expect(tally.rows).toMatchObject(way === 'skip' ? { skipped: 2 } : { updated: 2, skipped: 0 });
});

test('an archive of another time is left out unread, by its metadata', async () => {
  const archives = await write('timestamptz', '+00:00', true);
  const [first] = archives;
  // Of another entity tag, it would fail as changed if it was read.
  const unreadable = { ...(first as ArchiveRef), etag: '"other"' };
  const restore = await site.restore('items');
  const range = { column: 'at', from: '2026-01-31', to: null };
  const outcome = await restore.load([unreadable, ...archives.slice(1)], 0, { range }).outcome;
  expect(outcome.tally.archives).toEqual({ restored: 2, earlier: 0, failed: 0 });
  expect(await idsOf()).toEqual([3, 4, 5]);
  expect(outcome.columnNotes).toContainEqual({ column: 'at', kind: 'out_of_range', values: 2 });
  // Without a limit that leaves it out, it is read.
  const all = await restore.load([unreadable], 2, { range: { ...range, from: '2026-01-30' } }).outcome;
  expect(all.tally.archives.restored).toBe(1);
  await site.pg.query('truncate thaw.targets, thaw.archives');
  const fresh = await site.restore('items');
  const read = await fresh.load([unreadable], 0, { range: { ...range, from: '2026-01-30' } }).outcome;
  expect(read.failures).toMatchObject([{ code: 'ArchiveChanged' }]);
});

test('what was restored in part is restored whole by a later restore', async () => {
  const archives = await write('timestamptz', '+00:00', true);
  const options = { ...defaultRestoreOptions, rowsFrom: '2026-01-31', rowsTo: '2026-01-31' };
  const part = await site.restore('items', options);
  await part.load(archives, 0, { range: { column: 'at', from: '2026-01-31', to: '2026-01-31' } }).outcome;
  expect(await idsOf()).toEqual([3, 4]);

  await site.pg.query('truncate thaw.targets');
  const whole = await site.restore('items');
  const { tally } = await whole.load(archives, 0).outcome;
  expect(tally).toMatchObject({
    archives: { restored: 2, earlier: 0 },
    rows: { inserted: 4, skipped: 2 },
  });
  await site.pg.query('truncate thaw.targets');
  const again = await site.restore('items', options);
  const third = await again.load(archives, 0).outcome;
  expect(third.tally.archives).toEqual({ restored: 0, earlier: 2, failed: 0 });
});

test.each<[string, string | null, string | null, string]>([
  ['timestamptz', 'soon', null, '--rows-from: must be a time (got "soon")'],
  ['timestamptz', '2026-02-30', null, '--rows-from: must be a time (got "2026-02-30")'],
  ['timestamptz', null, 'today', '--rows-to: must be the same time whenever it is read (got "today")'],
  ['timestamptz', null, 'infinity', '--rows-to: must be a time of the years 1 to 9999 (got "infinity")'],
  [
    'timestamp',
    '2026-01-01T00:00:00+02:00',
    null,
    '--rows-from: must be without a time zone, as its column is (got "2026-01-01T00:00:00+02:00")',
  ],
  ['date', '2026-02-01', '2026-01-01', '--rows-from: 2026-02-01 is not before --rows-to 2026-01-01.'],
  [
    'text',
    '2026-01-01',
    null,
    'public.items: rows cannot be selected by their time in column at: it is of type text.',
  ],
])('%s, %s to %s: %s', async (type, from, to, message) => {
  await makeTable(type);
  const target = await readTarget(site.pg, 'public', 'items');
  await expect(readTimeRange(site.pg, target, { column: 'at', from, to })).rejects.toMatchObject({
    code: 'InputInvalid',
    message,
  });
});

async function makeTable(type: string): Promise<void> {
  await site.pg.query(
    `drop table if exists items; create table items (id int primary key, at ${type}, note text)`,
  );
}

async function write(type: string, zone: string, metadata: boolean): Promise<ArchiveRef[]> {
  await makeTable(type);
  let id = 0;
  const archives: ArchiveRef[] = [];
  for (const [place, some] of times.entries()) {
    const rows = some.map((at) => {
      const text = type === 'date' ? (at?.slice(0, 10) ?? null) : at === null ? null : at + zone;
      return { id: ++id, at: text, note: 'archived' };
    });
    archives.push(await site.archive(place + 1, rows, { metadata, timestampColumn: 'at' }));
  }
  return archives;
}

async function idsOf(): Promise<number[]> {
  const { rows } = await site.pg.query<{ id: number }>('select id from items order by id');
  return rows.map(({ id }) => id);
}
