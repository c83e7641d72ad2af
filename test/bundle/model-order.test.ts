import { expect, test } from 'vitest';
import { orderModels } from '../../src/bundle/model-order.ts';

test('models come after those that they point at, circles as one group', () => {
  const groups = orderModels([
    { model: 'orders', parents: ['users', 'orders', 'elsewhere'] },
    { model: 'users', parents: ['teams'] },
    { model: 'teams', parents: ['users', 'regions'] },
    { model: 'regions', parents: [] },
    { model: 'notes', parents: ['orders'] },
  ]);
  expect(groups).toEqual([['regions'], ['teams', 'users'], ['orders'], ['notes']]);
});

test('two circles that share a model are one group', () => {
  const groups = orderModels([
    { model: 'a', parents: ['b'] },
    { model: 'b', parents: ['c', 'a'] },
    { model: 'c', parents: ['b'] },
  ]);
  expect(groups).toEqual([['a', 'b', 'c']]);
});

test('a chain of 10,000 models is no deeper than any other', () => {
  const nodes = Array.from({ length: 10_000 }, (_, place) => ({
    model: `m${place}`,
    parents: place === 9_999 ? [] : [`m${place + 1}`],
  }));
  const groups = orderModels(nodes);
  expect([groups.length, groups[0], groups.at(-1)]).toEqual([10_000, ['m9999'], ['m0']]);
});
