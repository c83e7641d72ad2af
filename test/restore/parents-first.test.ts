import { expect, test } from 'vitest';
import { parentsFirst } from '../../src/restore/parents-first.ts';

test('nodes come after those that they point at, circles as one group', () => {
  const groups = parentsFirst([
    { name: 'orders', parents: ['users', 'orders', 'elsewhere'] },
    { name: 'users', parents: ['teams'] },
    { name: 'teams', parents: ['users', 'regions'] },
    { name: 'regions', parents: [] },
    { name: 'notes', parents: ['orders'] },
  ]);
  expect(groups).toEqual([['regions'], ['teams', 'users'], ['orders'], ['notes']]);
});

test('two circles that share a node are one group', () => {
  const groups = parentsFirst([
    { name: 'a', parents: ['b'] },
    { name: 'b', parents: ['c', 'a'] },
    { name: 'c', parents: ['b'] },
  ]);
  expect(groups).toEqual([['a', 'b', 'c']]);
});

test('a chain of 10,000 nodes is no deeper than any other', () => {
  const nodes = Array.from({ length: 10_000 }, (_, place) => ({
    name: `m${place}`,
    parents: place === 9_999 ? [] : [`m${place + 1}`],
  }));
  const groups = parentsFirst(nodes);
  expect([groups.length, groups[0], groups.at(-1)]).toEqual([10_000, ['m9999'], ['m0']]);
});
