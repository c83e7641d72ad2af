import { expect, test } from 'vitest';
import { partSizeOf } from '../../src/store/s3-upload.ts';

test('parts grow with what is expected, so that 10,000 are enough for twice of it', () => {
  const mib = 1024 ** 2;
  expect(partSizeOf(0)).toBe(8 * mib);
  expect(partSizeOf(40_000 * mib)).toBe(8 * mib);
  expect((2 * 1024 ** 4) / partSizeOf(1024 ** 4)).toBeLessThanOrEqual(10_000);
});
