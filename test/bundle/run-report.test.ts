import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RunReport } from '../../activities/run-report.ts';
import type { ControlDatabase } from '../../src/control/control-database.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => vi.useRealTimers());

test('a run tells how far a large model is read, once a second', async () => {
  const told: unknown[] = [];
  const client = {
    query: async (_: string, values: readonly unknown[]) => {
      told.push(values[4]);
      return { rowCount: 1 };
    },
  };
  const control = {
    use: (work: (to: typeof client) => unknown) => work(client),
  } as unknown as ControlDatabase;
  const before = { files: 1, inserted: 7, updated: 0, skipped: 2, deleted: 0 };
  const report = new RunReport(control, 'run', 3, before);
  const read = async (model: string, records: number, milliseconds: number) => {
    vi.advanceTimersByTime(milliseconds);
    await report.reading(model, records);
  };

  await read('orders', 10, 0);
  await read('orders', 10, 900);
  // A model of its own has a second of its own.
  await read('users', 5, 900);
  expect(told).toEqual([]);
  await read('users', 5, 1_000);
  await read('users', 5, 900);
  await read('users', 5, 100);
  const detail = {
    ...{ phase: 'importing_data', files_total: 3, files_completed: 1, current_model: 'users' },
    ...{ records_imported: 7, records_skipped: 2 },
  };
  expect(told).toEqual([
    { ...detail, records_read: 10 },
    { ...detail, records_read: 20 },
  ]);
  // Read once more, it counts from its beginning.
  report.begin();
  await read('users', 5, 1_000);
  await read('users', 5, 1_000);
  expect(told.at(-1)).toEqual({ ...detail, records_read: 10 });
});
