import { expect, test } from 'vitest';
import { inWordsOfBundles } from '../../src/bundle/bundle-hints.ts';
import { ThawError, type ThawErrorOptions } from '../../src/contract/thaw-error.ts';

test.each<[string, ThawErrorOptions, string]>([
  ['the hint of the code', {}, 'Correct the record in the bundle'],
  ['one with flags', { hint: 'Use --max-rejects 1.' }, 'Correct the record in the bundle'],
  ['one of tables', { hint: 'Restore the table first.', sqlstate: '23503' }, 'Restore the model that'],
  ['one of its own', { hint: 'Give the field a default.' }, 'Give the field a default.'],
])('a hint that only commands can follow gives way to one that a bundle can: %s', (_, options, hint) => {
  const told = inWordsOfBundles(
    new ThawError('RowRejected', 'ns.a', { ...options, object: 'ns.a', line: 3 }),
  );
  expect(told).toMatchObject({
    ...{ code: 'RowRejected', message: 'ns.a', object: 'ns.a', line: 3 },
    hint: expect.stringContaining(hint),
  });
});
