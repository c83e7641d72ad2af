import { describe, expect, it } from 'vitest';
import type { TimeRange } from '../../src/contract/time-range.ts';
import { isDisjoint } from '../../src/restore/time-range.ts';

const october: TimeRange = {
  column: 'created_at',
  zoned: true,
  from: '2025-10-01T00:00:00.000000',
  to: '2025-11-01T00:00:00.000000',
};

describe('isDisjoint', () => {
  it.each<[string, string, boolean]>([
    ['2025-09-01T00:43:00.007919+00:00', '2025-09-30T23:59:59.999999+00:00', true],
    ['2025-09-01T00:43:00.007919+00:00', '2025-10-01T00:00:00+00:00', false],
    ['2025-11-01T00:00:00+00:00', '2025-11-02T00:00:00+00:00', true],
    ['2025-10-31T23:59:59.999999+00:00', '2025-11-02T00:00:00+00:00', false],
    ['2025-08-01T00:00:00+00:00', '2025-12-01T00:00:00+00:00', false],
    // With the Z that the archiver appends.
    ['2025-09-01T00:43:00.007919+00:00Z', '2025-09-30T23:00:00+00:00Z', true],
    // No fraction: it may have been cut off.
    ['2025-09-01T00:00:00Z', '2025-09-30T23:59:59Z', true],
    // Another zone, no zone, no time, no such order, no time at all: read it.
    ['2025-09-01T00:43:00-08:00', '2025-09-30T23:00:00-08:00', false],
    ['2025-09-01T00:43:00', '2025-09-02T00:43:00', false],
    ['2025-09-01', '2025-09-02', false],
    ['2025-09-02T00:00:00Z', '2025-09-01T00:00:00Z', false],
    ['yesterday', '2025-09-01T00:00:00Z', false],
  ])('%s to %s: %s', (min, max, disjoint) => {
    expect(isDisjoint(october, { min, max })).toBe(disjoint);
  });

  it('needs no zone for a column without one', () => {
    const range = { ...october, zoned: false };
    expect(isDisjoint(range, { min: '2025-09-01T00:43:00', max: '2025-09-02T00:43:00Z' })).toBe(true);
    expect(isDisjoint(range, { min: '2025-09-01', max: '2025-09-30' })).toBe(true);
    expect(isDisjoint(range, { min: '2025-09-01', max: '2025-10-01' })).toBe(false);
  });

  it('goes by the limits that there are', () => {
    const september = { min: '2025-09-01T00:00:00Z', max: '2025-09-30T00:00:00Z' };
    expect(isDisjoint({ ...october, from: null }, september)).toBe(false);
    expect(isDisjoint({ ...october, to: null }, september)).toBe(true);
    expect(isDisjoint(october, { min: null, max: null })).toBe(false);
  });
});
