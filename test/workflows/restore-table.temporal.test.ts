import { Context } from '@temporalio/activity';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pauseUpdate, resumeUpdate } from '../../src/contract/messages.ts';
import { testTemporal } from '../harness/temporal.ts';
import { archivesOf, deferred, failed, planned, restored, tableError } from './fake-database.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;

beforeEach(async () => {
  it = await startWorkflowTest(testTemporal().address);
  it.fake.tables = [planned('t')];
});

afterEach(async () => {
  it.fake.gate.open();
  it.fake.listGate.open();
  await it.close();
});

test('no more loads are in flight than there are lanes, and each is named after its archive', async () => {
  it.fake.archives.set('t', archivesOf('t', 9));
  await it.start({ lanes: 3 });

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 9, failed: 0 }, rows: { inserted: 90 }, bytes: 9000 },
  });
  expect(it.fake.mostInFlight).toBeLessThanOrEqual(3);
  expect(it.fake.inOrder('t')).toEqual(archivesOf('t', 9).map(({ name }) => name));
  const ids = (await it.executions()).map(({ workflowId }) => workflowId);
  expect(ids).toContain(`${it.tableId('t')}/${it.restoreId}/2026-01-04T053001_batch_009`);
  expect(ids).toHaveLength(11);
});

test('small archives of a long table share children, named after first and last', async () => {
  it.fake.archives.set('t', archivesOf('t', 40));
  await it.start({ lanes: 2, packBytes: 15_000 });

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ tally: { archives: { restored: 40 } } });
  const loads = (await it.executions()).filter(({ type }) => type === 'restorePack');
  await it.keepHistory('restore-pack', loads[0]?.workflowId ?? '');
  expect(loads.map(({ workflowId }) => workflowId.split('/').at(-1)).toSorted()).toEqual([
    '2026-01-04T053001_batch_001..015',
    '2026-01-04T053001_batch_016..030',
    '2026-01-04T053001_batch_031..040',
  ]);
});

test('a pause lets what is in flight finish, and starts nothing new', async () => {
  it.fake.archives.set('t', archivesOf('t', 8));
  it.fake.gate.close();
  await it.start({ lanes: 2 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(2), 10_000);
  const table = it.client.workflow.getHandle(it.tableId('t'));

  expect(await table.executeUpdate(pauseUpdate, { args: [{ reason: null, now: false }] })).toBe('pausing');
  it.fake.gate.open();
  await expect.poll(async () => (await it.tableProgress('t')).state).toBe('paused');
  expect(await it.tableProgress('t')).toMatchObject({ archives: { done: 2, total: 8 }, inFlight: [] });
  expect(it.fake.loads).toHaveLength(2);

  await table.executeUpdate(resumeUpdate);
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ tally: { archives: { restored: 8 } } });
});

test('a pause in the last window holds the end back, too', async () => {
  it.fake.archives.set('t', archivesOf('t', 2));
  it.fake.gate.close();
  await it.start({ lanes: 4 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(2), 10_000);
  await it.restores.pause(it.restoreId, null, false);
  await expect.poll(async () => (await it.tableProgress('t')).state).toBe('pausing');
  it.fake.gate.open();
  await expect.poll(async () => (await it.tableProgress('t')).state).toBe('paused');
  expect(it.fake.finished).toEqual([]);

  await it.restores.resume(it.restoreId);
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ tally: { archives: { restored: 2 } } });
});

test('pause --now rolls back the last window, and resume does it again in the same places', async () => {
  it.fake.archives.set('t', archivesOf('t', 3));
  it.fake.gate.close();
  await it.start({ lanes: 4 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(3), 10_000);
  await it.restores.pause(it.restoreId, 'too much load', true);
  await expect.poll(async () => (await it.tableProgress('t')).state, { timeout: 5000 }).toBe('paused');
  expect(it.fake.rolledBack).toBe(3);
  expect(it.fake.inOrder('t')).toEqual([]);

  it.fake.gate.open();
  await it.restores.resume(it.restoreId);
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 3 } },
  });
  expect(it.fake.inOrder('t')).toEqual(archivesOf('t', 3).map(({ name }) => name));
  expect(it.fake.doubled).toEqual([]);
  await it.keepHistory('restore-table-paused-now', it.tableId('t'));
});

test('pause --now and resume before the table noticed either', async () => {
  const archives = archivesOf('t', 1100);
  it.fake.archives.set('t', archives);
  it.fake.gate.close();
  // All of the first page is in flight, and the listing of the second does not end.
  it.fake.listGate.close();
  await it.start({ lanes: 4, packBytes: 250_000 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBeGreaterThanOrEqual(2), 10_000);
  await it.restores.pause(it.restoreId, null, true);
  await it.restores.resume(it.restoreId);
  await vi.waitFor(() => expect(it.fake.rolledBack).toBeGreaterThanOrEqual(2), 5_000);
  it.fake.gate.open();
  it.fake.listGate.open();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ tally: { archives: { restored: 1100 } } });
  expect(it.fake.inOrder('t')).toEqual(archives.map(({ name }) => name));
  expect(it.fake.doubled).toEqual([]);
});

test('a cancel in the last window does not pass for the end', async () => {
  it.fake.archives.set('t', archivesOf('t', 3));
  it.fake.load = (input) => (input.firstOrdinal === 0 ? restored(input) : Context.current().cancelled);
  await it.start({ lanes: 4 });
  await expect.poll(async () => (await it.tableProgress('t')).tally.archives.restored).toBe(1);
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(2), 10_000);
  await it.restores.cancel(it.restoreId, null);

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'cancelled',
    tally: { archives: { restored: 1 } },
  });
  const table = await it.client.workflow.getHandle(it.tableId('t')).describe();
  expect(table.status.name).toBe('CANCELLED');
  expect(it.fake.finished).toHaveLength(1);
});

test('a cancel reaches loads that are just being started', async () => {
  it.fake.archives.set('t', archivesOf('t', 30));
  it.fake.gate.close();
  await it.start({ lanes: 30, packBytes: 1 });
  await vi.waitFor(() => expect(it.fake.loads.length).toBeGreaterThan(0), { timeout: 10_000, interval: 1 });
  await it.restores.cancel(it.restoreId, null);

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'cancelled' });
  expect(it.fake.inFlight).toBe(0);
});

test('an error of the table rolls back what is in flight, and starts nothing more', async () => {
  it.fake.archives.set('t', archivesOf('t', 20));
  it.fake.load = async (input) => {
    if (input.firstOrdinal !== 2) return Context.current().cancelled;
    throw tableError('PermissionDenied', 'public.t: may not be written');
  };
  await it.start({ lanes: 4 });

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'failed',
    tables: [{ error: { code: 'PermissionDenied' } }],
  });
  expect(it.fake.loads.length).toBeLessThanOrEqual(4);
  expect(it.fake.finished).toMatchObject([{ changed: false }]);
});

test('failed archives do not stop the others', async () => {
  it.fake.archives.set('t', archivesOf('t', 30));
  it.fake.load = (input) => (input.firstOrdinal < 25 ? failed(input) : restored(input));
  await it.start();

  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome).toMatchObject({
    state: 'completed_with_failures',
    tally: { archives: { restored: 5, failed: 25 }, rows: { inserted: 50, failed: 250 } },
  });
  await it.keepHistory('restore-table-with-failures', it.tableId('t'));
  await it.keepHistory('restore-archive', `${it.tableId('t')}/${it.restoreId}/2026-01-04T053001_batch_030`);
  expect(outcome.tables[0]?.failures).toHaveLength(20);
});

test('with fail-fast nothing starts after the first archive that failed', async () => {
  it.fake.archives.set('t', archivesOf('t', 10));
  it.fake.load = (input) => (input.firstOrdinal === 1 ? failed(input) : restored(input));
  await it.start({ lanes: 1, failFast: true });

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed_with_failures',
    tally: { archives: { restored: 1, failed: 1 } },
  });
  expect(it.fake.loads).toHaveLength(2);
});

test('archives that wait for others are tried again until a round brings nothing', async () => {
  it.fake.archives.set('t', archivesOf('t', 6));
  const tries = new Map<string, number>();
  it.fake.load = (input) => {
    const name = input.archives[0]?.name ?? '';
    const round = (tries.get(name) ?? 0) + 1;
    tries.set(name, round);
    const batch = Number(/batch_(\d+)/.exec(name)?.[1]);
    // 1 to 3 at once, 4 in the second round, 5 in the third, 6 never.
    const succeedsIn = batch <= 3 ? 1 : batch === 6 ? Number.POSITIVE_INFINITY : batch - 2;
    return round >= succeedsIn ? restored(input) : deferred(input);
  };
  await it.start({ lanes: 2 });

  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome).toMatchObject({
    state: 'completed_with_failures',
    tally: { archives: { restored: 5, failed: 1 }, rows: { inserted: 50, failed: 10 }, bytes: 6000 },
  });
  expect(outcome.tables[0]?.failures.map(({ archive, code }) => [archive.slice(-12), code])).toEqual([
    ['006.jsonl.gz', 'RowRejected'],
  ]);
  // The last round, of 6 alone, brought nothing.
  expect([...tries].toSorted().map(([, count]) => count)).toEqual([1, 1, 1, 2, 3, 4]);
  expect(it.fake.doubled).toEqual([]);
});

test('a load of a terminated run gives way to the same load of the next one', async () => {
  it.fake.archives.set('t', archivesOf('t', 1));
  it.fake.gate.close();
  await it.start();
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(1), 10_000);
  const id = `${it.tableId('t')}/${it.restoreId}/2026-01-04T053001_batch_001`;
  // The id of the load is taken by one that ends only when it is told to.
  await it.client.workflow.getHandle(it.tableId('t')).terminate();
  await it.restores.outcome(it.restoreId);
  await expect.poll(() => it.fake.rolledBack, { timeout: 5000 }).toBe(1);
  it.fake.gate.open();
  await it.start();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ tally: { archives: { restored: 1 } } });
  expect((await it.executions()).filter(({ workflowId }) => workflowId === id)).toHaveLength(2);
});
