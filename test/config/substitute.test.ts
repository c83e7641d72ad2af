import { expect, test } from 'vitest';
import { substitute, substituteTree } from '../../src/config/substitute.ts';

/** `${…}`, which the linter takes for a forgotten template. */
const ref = (inner: string) => `$${`{${inner}}`}`;

test.each([
  [ref('A'), 'one'],
  [`x-${ref('A')}-${ref('B')}-y`, 'x-one--y'],
  [ref('A:-other'), 'one'],
  [ref('B:-other'), ''],
  [ref('C:-other'), 'other'],
  [ref('C:-'), ''],
  [ref('C:-http://x:9000/y'), 'http://x:9000/y'],
  ['$A {A} $$', '$A {A} $$'],
])('%s becomes %s', (template, expected) => {
  expect(substitute(template, { A: 'one', B: '' }, 'place')).toBe(expected);
});

test('puts a value in as it is, and does not look into it', () => {
  expect(substitute(ref('A'), { A: `$& $1 ${ref('B')}` }, 'place')).toBe(`$& $1 ${ref('B')}`);
});

test('goes through lists and mappings, and drops what is null', () => {
  const tree = { a: [ref('A'), 1, { b: ref('A'), c: null }], skip: ref('NONE') };
  expect(substituteTree(tree, { A: 'x' }, ([first]) => first === 'skip')).toEqual({
    a: ['x', 1, { b: 'x' }],
    skip: ref('NONE'),
  });
});

test('names variable and place of what is not set', () => {
  const tree = { databases: [{ host: ref('HOST') }] };
  expect(() => substituteTree(tree, {}, () => false)).toThrow(
    'databases[0].host: environment variable HOST is not set',
  );
});
