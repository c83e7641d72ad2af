import { expect, test } from 'vitest';
import { TableSteps } from '../../src/snapshot/history/table-steps.ts';

const schema = 'public';
const changes = (table: string, updated: number) => ({
  schema,
  table,
  inserted: 0,
  updated,
  deleted: 0,
  unchanged: 0,
});

test('time that is left follows from the pace of staging, then from that of merging', () => {
  let now = 0;
  const steps = new TableSteps([], () => now);
  const told = () =>
    steps.toJSON().map(({ status, progress_pct, eta_seconds }) => [status, progress_pct, eta_seconds]);
  steps.expect([
    { table: 'public.a', rows: 1000 },
    { table: 'public.b', rows: 0 },
    { table: 'public.c', rows: 300 },
  ]);
  steps.begin();
  expect(told()).toEqual(Array(3).fill(['pending', 0, null]));
  steps.rows('public.a', 0);
  now = 10_000;
  steps.rows('public.a', 250);
  // 250 rows took 10 s, and 750 are left
  expect(told()).toEqual([
    ['staging', 12, 30],
    ['pending', 0, null],
    ['pending', 0, null],
  ]);
  steps.staged();
  expect(told()).toEqual(Array(3).fill(['staged', 50, null]));
  steps.comparing('public.a');
  expect(told()[0]).toEqual(['merging', 75, null]);
  for (const [table, rows] of [
    ['a', 100],
    ['b', 0],
    ['c', 300],
  ] as const)
    steps.found(`public.${table}`, changes(table, rows));
  expect(steps.next).toBe('public.a');
  now = 14_000;
  steps.merged('public.a', changes('a', 100));
  // 100 changes took 4 s
  expect(told()).toEqual([
    ['merged', 100, 0],
    ['merging', 75, 0],
    ['merging', 75, 12],
  ]);
  expect(steps.next).toBe('public.b');
  steps.completed();
  expect(steps.toJSON()[0]).toEqual({
    ...{ table: 'public.a', status: 'completed', progress_pct: 100, eta_seconds: 0, rows_restored: 100 },
    ...{ started_at: '1970-01-01T00:00:00.000Z', completed_at: '1970-01-01T00:00:14.000Z' },
  });
});

test('another attempt begins anew, at the time of the first', () => {
  let now = 1_000;
  const first = new TableSteps([], () => now);
  first.expect([{ table: 'public.a', rows: 2 }]);
  first.rows('public.a', 2);
  first.staged();
  now = 9_000;
  const second = new TableSteps(first.toJSON(), () => now);
  second.expect([{ table: 'public.a', rows: 2 }]);
  expect(second.toJSON()[0]).toMatchObject({ status: 'staged', progress_pct: 50 });
  second.begin();
  expect(second.toJSON()[0]).toMatchObject({ status: 'pending', started_at: '1970-01-01T00:00:01.000Z' });
});
