import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { pauseSignal } from '../../src/contract/messages.ts';
import { PortBook } from '../../src/stack/port.ts';
import { startTemporalServer, type TemporalServer } from '../../src/stack/temporal-server.ts';
import { obtainTool } from '../../src/stack/tool.ts';
import { archivesOf, deferred, failed, planned, restored } from './fake-database.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

/** Suggests continue-as-new after 100 events in place of 4,096: a dozen loads. */
let server: TemporalServer;
let folder: string;
let it: WorkflowTest;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'thaw-continue-'));
  chmodSync(folder, 0o711);
  server = await startTemporalServer({
    executable: await obtainTool('temporal', { log: () => {} }),
    folder,
    ports: new PortBook(folder),
    persistent: false,
    ui: false,
    dynamicConfig: ['limit.historyCount.suggestContinueAsNew=100'],
  });
});

afterAll(async () => {
  await server.process.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  it = await startWorkflowTest(server.address);
  it.fake.tables = [planned('t')];
});

afterEach(async () => {
  it.fake.gate.open();
  await it.close();
});

test('12,000 archives, over many runs: each once, in order, with true totals and answers throughout', async () => {
  const archives = archivesOf('t', 12_000);
  it.fake.archives.set('t', archives);
  it.fake.load = (input) => (input.firstOrdinal === 5000 ? failed(input) : restored(input));
  await it.start({ lanes: 4, packBytes: 125_000 });

  const done: number[] = [];
  const totals = new Set<number | null>();
  for (let ended = false; !ended; ) {
    // On a busy machine a question may run out of time; nothing but the answers is asserted here.
    const { state, archives: extent } = await vi.waitFor(() => it.progress(), 60_000);
    done.push(extent.done);
    if (extent.done > 500) totals.add(extent.total);
    ended = state === 'completed_with_failures';
  }

  const outcome = await it.restores.outcome(it.restoreId);
  expect(outcome).toMatchObject({
    tally: {
      archives: { restored: 11_875, earlier: 0, failed: 125 },
      rows: { inserted: 118_750, failed: 1250 },
      bytes: 12_000_000,
    },
  });
  expect(outcome.tables[0]?.failures).toHaveLength(20);
  expect(it.fake.inOrder('t')).toEqual(archives.map(({ name }) => name));
  expect(it.fake.doubled).toEqual([]);
  expect(it.fake.audited).toEqual(['restore_start t', 'restore_failure t']);
  expect(totals).toEqual(new Set([12_000]));
  expect(done.length).toBeGreaterThan(5);
  const runs = (await it.executions()).filter(({ workflowId }) => workflowId === it.tableId('t'));
  expect(runs.length).toBeGreaterThan(5);
  expect(Math.max(...runs.map(({ historyLength }) => historyLength))).toBeLessThan(250);
});

test('a pause is carried over, and one that comes while a run ends is not lost', async () => {
  it.fake.archives.set('t', archivesOf('t', 120));
  const table = it.client.workflow.getHandle(it.tableId('t'));
  let runs = new Set<string>();
  // Each load asks for a pause and the test for the end of it: some of them meet a run that is ending.
  it.fake.load = async (input) => {
    if (input.firstOrdinal % 7 === 0) await table.signal(pauseSignal, `at ${input.firstOrdinal}`, false);
    return restored(input);
  };
  await it.start({ lanes: 4, packBytes: 0 });
  const paused: string[] = [];
  await vi.waitFor(() => it.tableProgress('t'), 10_000);
  for (;;) {
    // The table's own answer: what restore-all has been told may be a moment older.
    const { state } = await it.tableProgress('t');
    if (state === 'completed') break;
    if (state !== 'paused') continue;
    const { runId } = (await table.describe()) as { runId: string };
    runs = runs.add(runId);
    paused.push(runId);
    const before = it.fake.loads.length;
    expect(await it.tableProgress('t')).toMatchObject({ state: 'paused', inFlight: [] });
    expect(it.fake.loads).toHaveLength(before);
    await table.signal('resume');
    await vi.waitFor(async () => expect((await it.tableProgress('t')).state).not.toBe('paused'), 5000);
  }

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ tally: { archives: { restored: 120 } } });
  expect(it.fake.doubled).toEqual([]);
  expect(it.fake.inOrder('t')).toEqual(archivesOf('t', 120).map(({ name }) => name));
  expect(runs.size).toBeGreaterThan(2);
  expect(paused.length).toBeGreaterThan(5);
});

test('rounds of archives that wait for others count over runs, and end', async () => {
  it.fake.archives.set('t', archivesOf('t', 40));
  it.fake.load = (input) => deferred(input);
  await it.start({ lanes: 4, packBytes: 0 });

  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed_with_failures',
    tally: { archives: { restored: 0, failed: 40 } },
  });
  expect(it.fake.loads).toHaveLength(80);
  const runs = (await it.executions()).filter(({ workflowId }) => workflowId === it.tableId('t'));
  const inOrder = runs.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
  await it.keepHistory('restore-table-first-run', it.tableId('t'), inOrder.at(0)?.runId);
  await it.keepHistory('restore-table-later-run', it.tableId('t'), inOrder.at(1)?.runId);
  await it.keepHistory('restore-table-last-run', it.tableId('t'), inOrder.at(-1)?.runId);
});
