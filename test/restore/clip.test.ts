import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteLength, clip, summaryText } from '../../src/restore/clip.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 60 });

test('a text that fits stays as it is', () => {
  expect(clip('héllo', 6)).toBe('héllo');
  expect(clip('héllo', 5)).toBe('h…');
});

test('a clipped text has no more bytes than asked for, and is a beginning of the text', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 3, max: 80 }), (whole, bytes) => {
      const clipped = clip(whole, bytes);
      expect(Buffer.byteLength(clipped)).toBeLessThanOrEqual(bytes);
      if (clipped !== whole) expect(whole.startsWith(clipped.slice(0, -1))).toBe(true);
    }),
  );
});

test('bytes are never counted too few', () => {
  fc.assert(
    fc.property(text, (whole) => {
      expect(byteLength(whole)).toBeGreaterThanOrEqual(Buffer.byteLength(whole));
    }),
  );
});

test('a summary fits the 400 bytes of Temporal as JSON', () => {
  expect(Buffer.byteLength(JSON.stringify(summaryText('"'.repeat(10) + '表'.repeat(500))))).toBeLessThan(400);
});
