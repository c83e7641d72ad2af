import { expect, test } from 'vitest';
import type { ArchiveRef, LoadOutcome } from '../../src/contract/activities.ts';
import type { ArchiveFailure } from '../../src/contract/outcome.ts';
import { maxColumnNotes } from '../../src/restore/column-notes.ts';
import { maxDeferred, maxNoticesKept, TableResults } from '../../src/restore/table-results.ts';
import { emptyTally } from '../../src/restore/tally.ts';

/** What one value of a payload may take in Temporal. */
const payloadLimit = 2 * 1024 * 1024;

const archive: ArchiveRef = {
  name: 'year=2026/month=01/day=04/orders_of_customers_20260104T053001Z_batch_12345.jsonl.gz',
  bytes: 1000,
  etag: '"0123456789abcdef0123456789abcdef"',
  metadata: 'sibling',
};

const failure: ArchiveFailure = {
  archive: 'k',
  code: 'RowRejected',
  message: 'm'.repeat(10_000),
  hint: 'h',
  stage: 'copy',
  rows: 10,
};

const nothing: LoadOutcome = { tally: emptyTally, failures: [], deferred: [], columnNotes: [] };

function defer(results: TableResults, count: number): void {
  const archives = Array.from({ length: count }, () => archive);
  const deferred = archives.map((_, index) => ({ index, failure }));
  results.record({ firstOrdinal: 0, archives }, { ...nothing, deferred });
}

test('deferred archives count for nothing until they are given up', () => {
  const results = new TableResults(null);
  defer(results, 3);
  expect([results.deferred, results.tally, results.failures]).toEqual([3, emptyTally, []]);
  results.giveUpDeferred();
  expect(results.deferred).toBe(0);
  expect(results.tally).toEqual({
    archives: { restored: 0, earlier: 0, failed: 3 },
    rows: { inserted: 0, updated: 0, skipped: 0, failed: 30 },
    bytes: 3000,
  });
  expect(results.failures).toHaveLength(3);
});

test('what was taken to be tried again is not given up', () => {
  const results = new TableResults(null);
  defer(results, 2);
  expect(results.takeDeferred()).toEqual([archive, archive]);
  results.giveUpDeferred();
  expect(results.tally).toEqual(emptyTally);
});

test('its size does not grow with the number of archives', () => {
  const results = new TableResults(null);
  for (let load = 0; load < 100; load += 1) {
    defer(results, 100);
    const failures = Array.from({ length: 20 }, () => failure);
    const columnNotes = [
      { column: `column_${'x'.repeat(300)}_${load}`, kind: 'dropped', values: 1 },
      { column: `c${load}`, kind: 'dropped', values: 1 },
      { column: 'route', kind: 'unrestorable', values: 2 },
    ] as const;
    results.record({ firstOrdinal: 0, archives: [] }, { ...nothing, failures, columnNotes });
    results.notice([`index x in load ${load}`, 'the same each time']);
  }
  expect(results.deferred).toBe(maxDeferred);
  expect(results.tally.archives.failed).toBe(100 * 100 - maxDeferred);
  expect(results.failures).toHaveLength(20);
  expect(results.columnNotes).toHaveLength(maxColumnNotes + 1);
  expect(results.notices).toHaveLength(maxColumnNotes + 1 + maxNoticesKept + 1);
  expect(results.notices.at(-1)).toBe('81 more notices.');
  expect(Buffer.byteLength(JSON.stringify(results.carry()))).toBeLessThan(payloadLimit * 0.75);
});

test('it is the same after it was carried over as JSON', () => {
  const results = new TableResults(null);
  defer(results, 2);
  results.notice(['n']);
  const carried = new TableResults(JSON.parse(JSON.stringify(results.carry())));
  expect(carried.carry()).toEqual(results.carry());
});

test('failures come in archive order, whichever load ends first, and the first ones are kept', () => {
  const results = new TableResults(null);
  const key = (batch: number) => archive.name.replace('12345', String(batch).padStart(3, '0'));
  // 1000 comes after 999, though not by the alphabet.
  const batches = [1000, 101, 999, ...Array.from({ length: 18 }, (_, index) => 500 - index)];
  for (const batch of batches) {
    const failures = [{ ...failure, archive: key(batch) }];
    results.record({ firstOrdinal: 0, archives: [] }, { ...nothing, failures });
  }
  const expected = batches.toSorted((a, b) => a - b).slice(0, 20);
  expect(results.failures.map((each) => each.archive)).toEqual(expected.map(key));
});
