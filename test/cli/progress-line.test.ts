import { expect, it } from 'vitest';
import { doneShare, progressLine } from '../../src/cli/progress-line.ts';
import type { RestoreProgress } from '../../src/contract/progress.ts';
import { formatSeconds } from '../../src/restore/format.ts';

const progress: RestoreProgress = {
  restoreId: 'r',
  database: 'd',
  state: 'running',
  reason: null,
  startedAt: '2026-01-04T05:20:21.000Z',
  archives: { done: 412, total: 1035 },
  bytes: { done: 13 * 1024 * 1024, total: 26 * 1024 * 1024 },
  tally: {
    archives: { restored: 410, earlier: 0, failed: 2 },
    rows: { inserted: 400_000, updated: 10_000, skipped: 2_000, failed: 0 },
    bytes: 0,
  },
  rowsPerSecond: 61_200.4,
  etaSeconds: 12.2,
  failures: [],
  tables: [],
};

it('tells archives, rows, rate, size, time to go and failures', () => {
  expect(progressLine(progress)).toBe(
    'running  412/1,035 archives  412,000 rows  61,200 rows/s  13.0 MiB  ETA 12 s  2 failed',
  );
});

it('tells why a restore is paused, and no rate then', () => {
  expect(progressLine({ ...progress, state: 'paused', reason: 'lunch', etaSeconds: null })).toBe(
    'paused (lunch)  412/1,035 archives  412,000 rows  13.0 MiB  2 failed',
  );
});

it('has nothing to count while it is planned', () => {
  expect(progressLine({ ...progress, state: 'planning' })).toBe('planning');
});

it('measures by bytes, by archives where there are none, and not at all without a total', () => {
  expect(doneShare(progress)).toBe(0.5);
  expect(doneShare({ ...progress, bytes: { done: 0, total: 0 }, archives: { done: 1, total: 4 } })).toBe(
    0.25,
  );
  const unknown = { done: 5, total: null };
  expect(doneShare({ ...progress, bytes: unknown, archives: unknown })).toBe(0);
});

it.each([
  [0.2, '0 s'],
  [59.6, '1 min 0 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
])('writes %d seconds as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
