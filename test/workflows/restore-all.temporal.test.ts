import { Context } from '@temporalio/activity';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cancelSignal, pauseSignal } from '../../src/contract/messages.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { testTemporal } from '../harness/temporal.ts';
import { archivesOf, failed, planned, restored, tableError } from './fake-database.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;

beforeEach(async () => {
  it = await startWorkflowTest(testTemporal().address);
});

afterEach(async () => {
  it.fake.gate.open();
  it.fake.listGate.open();
  await it.close();
});

test('a table begins once those that its foreign keys point at have ended, two at a time', async () => {
  it.fake.tables = [planned('lines', 1), planned('orders', 2, 3), planned('customers'), planned('shops')];
  await it.start();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'completed' });
  const steps = it.fake.steps;
  expect(steps.slice(0, 2).toSorted()).toEqual(['prepare customers', 'prepare shops']);
  expect(steps.slice(4)).toEqual(['prepare orders', 'finish orders', 'prepare lines', 'finish lines']);
});

test('tables whose foreign keys go round in a circle are restored all the same', async () => {
  it.fake.tables = [planned('hens', 1), planned('eggs', 0)];
  await it.start();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'completed' });
  expect(it.fake.steps).toEqual(['prepare hens', 'finish hens', 'prepare eggs', 'finish eggs']);
});

test('an error of one table is its outcome, and the others complete', async () => {
  it.fake.tables = [planned('a'), planned('b')];
  it.fake.archives.set('a', archivesOf('a', 6)).set('b', archivesOf('b', 6));
  it.fake.load = (input) => {
    if (input.scope.table.table === 'a' && input.firstOrdinal === 1)
      throw tableError('PermissionDenied', 'public.a: may not be written');
    return restored(input);
  };
  await it.start({ lanes: 1 });

  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome.state).toBe('completed_with_failures');
  expect(
    outcome.tables.map(({ target, error, tally }) => [target, error?.code, tally.archives.restored]),
  ).toEqual([
    ['public.a', 'PermissionDenied', 1],
    ['public.b', undefined, 6],
  ]);
  expect(outcome.tables[0]?.error?.message).toBe('public.a: may not be written');
  expect(it.fake.finished.map(({ scope }) => scope.table.table).toSorted()).toEqual(['a', 'b']);
  expect(it.fake.recorded.map(({ state }) => state)).toEqual(['completed_with_failures']);
  expect(await it.status()).toBe('COMPLETED');
  await it.keepHistory('restore-all-with-error', restoreWorkflowId(it.restoreId));
  await it.keepHistory('restore-table-with-error', it.tableId('a'));
});

test('a restore of which every table had an error has failed, and gives its outcome along', async () => {
  it.fake.tables = [planned('a')];
  it.fake.prepare = () => {
    throw tableError('TargetMissing', 'public.a: there is no such table');
  };
  await it.start();

  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome).toMatchObject({ state: 'failed', tables: [{ error: { code: 'TargetMissing' } }] });
  expect(await it.status()).toBe('FAILED');
});

test('a table that another restore holds is busy, by the name of the holder, and the others go on', async () => {
  const other = await startWorkflowTest(testTemporal().address);
  it.fake.tables = [planned('a'), planned('b')];
  other.fake.tables = [planned('a')];
  other.fake.archives.set('a', archivesOf('a', 1));
  other.fake.gate.close();
  await other.restores.start({ ...other.request(), database: it.database });
  await vi.waitFor(() => expect(other.fake.inFlight).toBe(1), 10_000);

  await it.start();
  const outcome = await it.restores.outcome(it.restoreId);
  other.fake.gate.open();
  await other.restores.outcome(other.restoreId);
  await other.close();

  expect(outcome.tables.map(({ target, error }) => [target, error?.code])).toEqual([
    ['public.a', 'TargetBusy'],
    ['public.b', undefined],
  ]);
  expect(outcome.tables[0]?.error?.message).toContain(`workflow ${it.tableId('a')} is running`);
});

test('pause and resume reach tables that run and hold back those that do not', async () => {
  it.fake.tables = [planned('a'), planned('b'), planned('c')];
  for (const table of ['a', 'b', 'c']) it.fake.archives.set(table, archivesOf(table, 3));
  it.fake.gate.close();
  await it.start({ lanes: 1 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(2), 10_000);

  expect(await it.restores.pause(it.restoreId, 'lunch', false)).toBe('pausing');
  expect(await it.progress()).toMatchObject({ state: 'pausing', reason: 'lunch' });
  it.fake.gate.open();
  await expect.poll(async () => (await it.progress()).state).toBe('paused');
  expect(it.fake.loads).toHaveLength(2);
  expect((await it.progress()).tables.map(({ state }) => state)).toEqual(['paused', 'paused', 'queued']);

  expect(await it.restores.resume(it.restoreId)).toBe('running');
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 9 } },
  });
  await it.keepHistory('restore-all-paused', restoreWorkflowId(it.restoreId));
  await it.keepHistory('restore-table-paused', it.tableId('a'));
  expect(it.fake.doubled).toEqual([]);
});

test('resume is refused where nothing is paused, and pause where all is over', async () => {
  it.fake.tables = [planned('a')];
  it.fake.archives.set('a', archivesOf('a', 1));
  it.fake.gate.close();
  await it.start();
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(1), 10_000);
  await expect(it.restores.resume(it.restoreId)).rejects.toThrow('The restore is not paused.');

  it.fake.gate.open();
  await it.restores.outcome(it.restoreId);
  await expect(it.restores.pause(it.restoreId, null, false)).rejects.toThrow(
    `No restore ${it.restoreId} is running.`,
  );
});

test.each(['signal', 'Temporal'])(
  'a cancel by %s waits for all tables and counts what they did',
  async (by) => {
    it.fake.tables = [planned('a'), planned('b'), planned('c')];
    for (const table of ['a', 'b', 'c']) it.fake.archives.set(table, archivesOf(table, 5));
    it.fake.load = (input) => (input.firstOrdinal < 2 ? restored(input) : Context.current().cancelled);
    await it.start({ lanes: 1 });
    await expect.poll(async () => (await it.progress()).tally.archives.restored, { timeout: 10_000 }).toBe(4);
    await vi.waitFor(() => expect(it.fake.inFlight).toBe(2), 10_000);

    const handle = it.client.workflow.getHandle(restoreWorkflowId(it.restoreId));
    if (by === 'signal') await handle.signal(cancelSignal, 'wrong table');
    else await handle.cancel();

    const outcome = await it.restores.outcome(it.restoreId);
    expect(outcome).toMatchObject({ state: 'cancelled', tally: { archives: { restored: 4 } } });
    expect(await it.status()).toBe('CANCELLED');
    expect(it.fake.finished.map(({ scope }) => scope.table.table).toSorted()).toEqual(['a', 'b']);
    expect(it.fake.rolledBack).toBe(2);
    await it.keepHistory(`restore-all-cancelled-by-${by}`, restoreWorkflowId(it.restoreId));
    await it.keepHistory(`restore-table-cancelled-by-${by}`, it.tableId('a'));
    expect(it.fake.recorded).toMatchObject([
      { state: 'cancelled', outcome: { tally: { rows: { inserted: 40 } } } },
    ]);
  },
);

test('cancelling one table by itself cancels the restore', async () => {
  it.fake.tables = [planned('a'), planned('b')];
  for (const table of ['a', 'b']) it.fake.archives.set(table, archivesOf(table, 2));
  it.fake.gate.close();
  await it.start();
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(4), 10_000);
  await it.client.workflow.getHandle(it.tableId('a')).cancel();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'cancelled' });
  expect(await it.status()).toBe('CANCELLED');
  expect(it.fake.finished).toHaveLength(2);
});

test('a cancel while it is paused ends it', async () => {
  it.fake.tables = [planned('a')];
  it.fake.archives.set('a', archivesOf('a', 3));
  it.fake.gate.close();
  await it.start({ lanes: 1 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(1), 10_000);
  await it.client.workflow.getHandle(restoreWorkflowId(it.restoreId)).signal(pauseSignal, 'lunch', false);
  await expect.poll(async () => (await it.tableProgress('a')).state, { timeout: 20_000 }).toBe('pausing');
  it.fake.gate.open();
  await expect.poll(async () => (await it.progress()).state).toBe('paused');
  await it.restores.cancel(it.restoreId, null);

  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome).toMatchObject({ state: 'cancelled', tally: { archives: { restored: 1 } } });
  expect(it.fake.finished).toHaveLength(1);
  // What has ended is not said to be cancelled.
  for (const reason of [null, 'too late']) {
    await expect(it.restores.cancel(it.restoreId, reason)).rejects.toThrow(
      `No restore ${it.restoreId} is running.`,
    );
  }
});

test('a table whose end fails keeps its counts', async () => {
  it.fake.tables = [planned('a')];
  it.fake.archives.set('a', archivesOf('a', 3));
  it.fake.finish = () => {
    throw tableError('PermissionDenied', 'public.a: may not be analyzed');
  };
  await it.start();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'failed',
    tally: { archives: { restored: 3 } },
    tables: [{ error: { code: 'PermissionDenied' } }],
  });
});

test('restores with more tables, and longer names, than a summary has room for', async () => {
  const name = (index: number) => `${'表'.repeat(20)}_${index}`;
  it.fake.tables = Array.from({ length: 8 }, (_, index) => planned(name(index)));
  it.fake.archives.set(name(0), [
    ...archivesOf('a', 1).map((archive) => ({ ...archive, name: `${'x'.repeat(900)}.jsonl.gz` })),
  ]);
  it.fake.load = (input) => failed(input);
  await it.start();

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed_with_failures',
    tally: { archives: { failed: 1 } },
  });
});

test('a cancel while it is planned is recorded, once the plan has ended, with the seconds that it took', async () => {
  it.fake.planGate.close();
  await it.start();
  await expect.poll(() => it.fake.steps, { timeout: 20_000 }).toEqual(['plan']);
  await it.restores.cancel(it.restoreId, null);
  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome).toMatchObject({ state: 'cancelled', tables: [] });
  expect(it.fake.steps).toEqual(['plan', 'plan ended']);
  expect(it.fake.recorded.map(({ state }) => state)).toEqual(['cancelled']);

  const later = await it.restores.outcome(it.restoreId);
  expect(later.seconds).toBe(outcome.seconds);
});
