import { describe, expect, it, test } from 'vitest';
import { parseArchiveKey } from '../../src/archive/key.ts';
import { isWithin, parseBound } from '../../src/validate/period.ts';

test.each([
  ['2026-01-04', { day: '2026-01-04', moment: null }],
  ['2026-01-04T05:20:21', { day: '2026-01-04', moment: '20260104T052021Z' }],
  ['2026-01-04 05:20', { day: '2026-01-04', moment: '20260104T052000Z' }],
  ['2026-01-04T23:30:00-02:00', { day: '2026-01-05', moment: '20260105T013000Z' }],
  ['2026-01-04T05:20:21.5Z', { day: '2026-01-04', moment: '20260104T052021Z' }],
  ['2026-02-30', null],
  ['2026-02-30T10:00:00', null],
  ['2026-01-04T25:00:00', null],
  ['yesterday', null],
])('reads %s', (text, bound) => {
  expect(parseBound(text)).toEqual(bound);
});

describe('a period', () => {
  const key = parseArchiveKey('a/db/t/year=2026/month=01/day=04/t_20260104T052021Z_batch_001.jsonl.gz');
  const within = (from: string | null, to: string | null): boolean =>
    isWithin(key, {
      from: from === null ? null : parseBound(from),
      to: to === null ? null : parseBound(to),
    });

  it('holds its first and last day whole', () => {
    expect(within('2026-01-04', '2026-01-04')).toBe(true);
    expect(within('2026-01-05', null)).toBe(false);
    expect(within(null, '2026-01-03')).toBe(false);
  });

  it('goes by the second where it has a time', () => {
    expect(within('2026-01-04T05:20:21', '2026-01-04T05:20:21')).toBe(true);
    expect(within('2026-01-04T05:20:22', null)).toBe(false);
    expect(within(null, '2026-01-04T05:20:20')).toBe(false);
  });

  it('leaves out what has no day', () => {
    const dayless = parseArchiveKey('a/db/t/some.jsonl.gz');
    expect(isWithin(dayless, { from: parseBound('2026-01-01'), to: null })).toBe(false);
    expect(isWithin(dayless, { from: null, to: null })).toBe(true);
  });
});
