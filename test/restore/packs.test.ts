import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ArchiveRef } from '../../src/contract/activities.ts';
import { formLoads, loadName, maxPackArchives } from '../../src/restore/packs.ts';

function archive(name: string, bytes = 1000): ArchiveRef {
  return { name, bytes, etag: '"e"', metadata: 'none' };
}

function batch(number: number, bytes = 1000): ArchiveRef {
  return archive(`year=2026/month=01/day=04/t_20260104T053001Z_batch_${number}.jsonl.gz`, bytes);
}

const sizes = (bytes: readonly number[], packBytes: number, commitFrequency: number | null = null) =>
  formLoads(
    bytes.map((each, index) => batch(index, each)),
    0,
    { packBytes, commitFrequency },
  ).map(({ archives }) => archives.map((each) => each.bytes));

describe('formLoads', () => {
  test('neighbours share a load up to packBytes, and a large one stays alone', () => {
    expect(sizes([4, 6, 1, 20, 3, 3, 3, 3], 10)).toEqual([[4, 6], [1], [20], [3, 3, 3], [3]]);
  });

  test('packBytes 0: none share', () => {
    expect(sizes([1, 1, 0, 1], 0)).toEqual([[1], [1], [0], [1]]);
  });

  test('commitFrequency counts archives and wins over packBytes', () => {
    expect(sizes([9, 9, 9, 9, 9], 10, 2)).toEqual([[9, 9], [9, 9], [9]]);
    expect(sizes([1, 1], 10, 1)).toEqual([[1], [1]]);
  });

  test('no load has more than 250 archives, however small they are or often they are to be committed', () => {
    const ones = Array.from({ length: 501 }, () => 1);
    expect(sizes(ones, 10_000).map(({ length }) => length)).toEqual([250, 250, 1]);
    expect(sizes(ones, 0, 400).map(({ length }) => length)).toEqual([250, 250, 1]);
  });

  test('every archive comes once, in order, at its place, in a load no larger than the rule says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50)),
        fc.nat(1000),
        fc.nat(100),
        fc.option(fc.integer({ min: 1, max: 300 })),
        (bytes, first, packBytes, commitFrequency) => {
          const archives = bytes.map((each, index) => batch(index, each));
          const loads = formLoads(archives, first, { packBytes, commitFrequency });
          expect(loads.flatMap((load) => load.archives)).toEqual(archives);
          let place = first;
          for (const load of loads) {
            expect(load.firstOrdinal).toBe(place);
            place += load.archives.length;
            expect(load.archives.length).toBeGreaterThan(0);
            expect(load.archives.length).toBeLessThanOrEqual(commitFrequency ?? maxPackArchives);
            const sum = load.archives.reduce((total, each) => total + each.bytes, 0);
            if (commitFrequency === null && load.archives.length > 1)
              expect(sum).toBeLessThanOrEqual(packBytes);
          }
        },
      ),
    );
  });
});

describe('loadName', () => {
  test('one archive: its time and batch', () => {
    expect(loadName([batch(7)])).toBe('2026-01-04T053001_batch_7');
  });

  test('neighbours of one second: the first and the batch of the last', () => {
    expect(loadName([batch(61), batch(80), batch(102)])).toBe('2026-01-04T053001_batch_61..102');
  });

  test('of two seconds: both in full', () => {
    const later = archive('year=2026/month=01/day=05/t_20260105T000000Z_batch_001.jsonl.gz');
    expect(loadName([batch(61), later])).toBe('2026-01-04T053001_batch_61..2026-01-05T000000_batch_001');
  });

  test('a key of another form is kept whole', () => {
    expect(loadName([archive('a/b.jsonl.gz')])).toBe('a/b.jsonl.gz');
  });

  test('a long one keeps both ends, in 100 characters', () => {
    const name = loadName([archive(`${'é😀'.repeat(400)}.jsonl.gz`)]);
    expect([...name]).toHaveLength(100);
    expect(name).toMatch(/^é😀.*….*\.jsonl\.gz$/u);
  });
});
