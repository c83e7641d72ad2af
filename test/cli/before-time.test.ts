import { afterEach, beforeEach, expect, test } from 'vitest';
import { beforeTime } from '../../src/cli/before-time.ts';

const zone = process.env.TZ;
beforeEach(() => {
  process.env.TZ = 'America/New_York';
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

test.each([
  ['2026-01-04', '2026-01-05T04:59:59.999Z'],
  ['20260104', '2026-01-05T04:59:59.999Z'],
  ['2026-01-04T05:20:21', '2026-01-04T10:20:21.000Z'],
  ['2026-01-04 05:20', '2026-01-04T10:20:00.000Z'],
  ['20260104_052021', '2026-01-04T10:20:21.000Z'],
  ['2026-01-04T05:20:21Z', '2026-01-04T05:20:21.000Z'],
  ['2026-01-04T05:20:21+01:00', '2026-01-04T04:20:21.000Z'],
])('%s is %s in New York', (text, moment) => {
  expect(beforeTime(text)).toBe(moment);
});

test.each(['yesterday', '2026-02-30', '2026-13-01', '2026-01-04T25:00', '2026'])('%s is no time', (text) => {
  expect(() => beforeTime(text)).toThrow('It must be a time such as 2026-01-04T05:20:21Z, or a day.');
});
