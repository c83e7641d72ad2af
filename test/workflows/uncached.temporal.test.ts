import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { testTemporal } from '../harness/temporal.ts';
import { archivesOf, deferred, failed, planned, restored } from './fake-database.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

/** Nothing is cached, so that each workflow task replays the whole history: what is not deterministic fails it. */
const maxCachedWorkflows = 0;

let it: WorkflowTest;

beforeEach(async () => {
  it = await startWorkflowTest(testTemporal().address, maxCachedWorkflows);
  it.fake.tables = [planned('a', 1), planned('b')];
  it.fake.archives.set('a', archivesOf('a', 12)).set('b', archivesOf('b', 40));
});

afterEach(async () => {
  it.fake.gate.open();
  await it.close();
});

test('failures, deferred archives, packs, a pause and a pause --now', async () => {
  it.fake.load = (input) => {
    if (input.scope.table.table === 'b') return input.firstOrdinal === 0 ? failed(input) : restored(input);
    return input.firstOrdinal % 5 === 4 ? deferred(input) : restored(input);
  };
  it.fake.gate.close();
  await it.start({ packBytes: 10_000 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(4), 20_000);
  await it.restores.pause(it.restoreId, 'lunch', false);
  await it.restores.pause(it.restoreId, null, true);
  await vi.waitFor(() => expect(it.fake.rolledBack).toBe(4), 20_000);
  it.fake.gate.open();
  await it.restores.resume(it.restoreId);

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed_with_failures',
    // Of a, the archives at 4 and 9 were deferred; tried again at 12 and 13, only the latter came in.
    tally: { archives: { restored: 30 + 12, failed: 10 } },
  });
  expect(it.fake.doubled).toEqual([]);
});

test('a cancel', async () => {
  it.fake.gate.close();
  await it.start();
  await vi.waitFor(() => expect(it.fake.inFlight).toBeGreaterThan(0), 20_000);
  await it.restores.cancel(it.restoreId, 'wrong table');

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'cancelled' });
  expect(await it.status()).toBe('CANCELLED');
});
