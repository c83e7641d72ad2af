import { expect, test } from 'vitest';
import { qualifiedName, quoteIdentifier, quoteLiteral } from '../../src/postgres/identifier.ts';

test('quotes names with case, spaces, quotes, dots and key words', () => {
  expect(quoteIdentifier('Order Date')).toBe('"Order Date"');
  expect(quoteIdentifier('say "hi"')).toBe('"say ""hi"""');
  expect(qualifiedName('a.b', 'select')).toBe('"a.b"."select"');
});

test('quotes texts, and leaves backslashes as they are', () => {
  expect(quoteLiteral("it's C:\\x")).toBe("'it''s C:\\x'");
});

test.each(['', 'a\0b'])('refuses the name %j', (name) => {
  expect(() => quoteIdentifier(name)).toThrow(RangeError);
});
