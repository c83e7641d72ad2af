import { expect, test } from 'vitest';
import type { ArchivePage } from '../../src/contract/activities.ts';
import { ArchiveQueue } from '../../src/restore/archive-queue.ts';

const rule = { packBytes: 10_000, commitFrequency: null };

function page(from: number, count: number, next: string | null): ArchivePage {
  const archives = Array.from({ length: count }, (_, index) => ({
    name: `t_20260104T053001Z_batch_${from + index}.jsonl.gz`,
    bytes: 1000,
    etag: '',
    metadata: 'none' as const,
  }));
  return { folder: 'archives/t/', archives, earlier: { archives: 2, bytes: 7 }, next };
}

/** Takes all loads: place of the first archive, and how many there are. */
function drain(queue: ArchiveQueue): [number, number][] {
  const loads: [number, number][] = [];
  for (let load = queue.next(); load !== null; load = queue.next())
    loads.push([load.firstOrdinal, load.archives.length]);
  return loads;
}

test('a table of up to 32 archives gives each its own load, a longer one packs them', () => {
  const short = new ArchiveQueue(rule, null);
  short.take(page(0, 32, null));
  expect(drain(short)).toHaveLength(32);

  const long = new ArchiveQueue(rule, null);
  long.take(page(0, 33, null));
  expect(drain(long).map(([, size]) => size)).toEqual([10, 10, 10, 3]);
});

test('places go on from page to page, and totals are known at the end', () => {
  const queue = new ArchiveQueue(rule, null);
  queue.take(page(0, 15, 'there'));
  expect([queue.cursor, queue.listed, queue.total]).toEqual(['there', false, null]);
  queue.take(page(15, 15, null));
  expect([queue.cursor, queue.listed, queue.total]).toEqual([null, true, { archives: 34, bytes: 30_014 }]);
  expect(drain(queue)).toEqual([
    [0, 10],
    [10, 5],
    [15, 10],
    [25, 5],
  ]);
});

test('what was rolled back comes again in its place', () => {
  const queue = new ArchiveQueue(rule, null);
  queue.take(page(0, 40, null));
  const [first, second, third] = [queue.next(), queue.next(), queue.next()];
  for (const load of [third, first, second]) if (load !== null) queue.putBack(load);
  expect(drain(queue).map(([place]) => place)).toEqual([0, 10, 20, 30]);
});

test('archives that are tried again are alone, at places behind all others', () => {
  const queue = new ArchiveQueue(rule, null);
  queue.take(page(0, 40, null));
  queue.again(page(3, 2, null).archives);
  expect(drain(queue).slice(-3)).toEqual([
    [30, 10],
    [40, 1],
    [41, 1],
  ]);
});

test('it is the same after it was carried over as JSON', () => {
  const queue = new ArchiveQueue(rule, null);
  queue.take(page(0, 25, 'there'));
  queue.next();
  const carried = new ArchiveQueue(rule, JSON.parse(JSON.stringify(queue.carry())));
  expect(carried.carry()).toEqual(queue.carry());
  carried.take(page(25, 5, null));
  expect(drain(carried)).toEqual([
    [10, 10],
    [20, 5],
    [25, 5],
  ]);
});

test('a count of what is to come does not override what was listed', () => {
  const queue = new ArchiveQueue(rule, null);
  queue.take(page(0, 1, null));
  queue.setTotal({ archives: 99, bytes: 99 });
  expect(queue.total).toEqual({ archives: 3, bytes: 1007 });
});
