import { ApplicationFailure, Context } from '@temporalio/activity';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SnapshotRestoreClient } from '../../src/client/snapshot-restore-client.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import type { SnapshotActivities, SnapshotRequest } from '../../src/contract/snapshot.ts';
import type { MergedSnapshot, SnapshotRestoreActivities } from '../../src/contract/snapshot-restore.ts';
import { until } from '../fault/until.ts';
import { testTemporal } from '../harness/temporal.ts';
import { Gate } from './fake-database.ts';
import { failureOf } from './fake-dumps.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

type Step = 'check' | 'take' | 'stage' | 'merge' | 'finish';
type Finishing = Parameters<SnapshotRestoreActivities['finishSnapshot']>[0];

let it: WorkflowTest;
let restores: SnapshotRestoreClient;
/** What was done, in order; with `broken off` where it was. */
let done: string[];
let failing: Step | null;
/** The step that does not end while the gate is closed. */
let gated: Step;
/** So often the stage is lost before it is merged. */
let losses: number;
/** The merge of the restore was committed, whatever became of its activity. */
let committed: boolean;
let finishing: Finishing | null;
let recorded: string[];
let renewals: number;
let renewalDelay: '2 minutes' | '1ms';
const gate = new Gate();

const merged: MergedSnapshot = {
  tables: [{ schema: 'shop', table: 'orders', inserted: 1, updated: 2, deleted: 3, unchanged: 4 }],
  ...{ transactionId: '741', notices: ['merged'] },
};

async function step(name: Step): Promise<void> {
  done.push(name);
  if (failing === name) throw failureOf('ArchiveCorrupt', 'not whole');
  if (name !== gated || !gate.isClosed) return;
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat({ steps: [told] }), 50);
  await Promise.race([gate.opened, context.cancelled])
    .catch((error: unknown) => {
      done.push(`${name} broken off`);
      throw error;
    })
    .finally(() => clearInterval(beating));
}

const told = { table: 'shop.orders', status: 'staging', progress_pct: 25, eta_seconds: 9 };

const activities: SnapshotRestoreActivities & SnapshotActivities = {
  checkSnapshot: async () => {
    await step('check');
    return {
      ...{ held: [{ oid: 1, epoch: 1, ordered: true }], isMerged: false, searchAttributes: false },
      tables: [{ schema: 'shop', table: 'orders', rows: 10 }],
      keys: [{ name: 'orders_person', table: 'shop.orders', hold: 'taken off' }],
      locks: [{ table: 'shop.orders', lock: 'access exclusive', why: 'its key is taken off' }],
      ...{ preSnapshot: preSnapshot(), preSnapshotId: preSnapshot().id, notices: ['checked'] },
    };
  },
  writeSnapshot: async ({ id, name, type, database, by }) => {
    await step('take');
    const about = { createdAt: '2026-01-04T05:20:21Z', createdBy: by, expiresAt: null, tenant: null };
    return { id, name, type, database, ...about, tables: [], totalRows: 0, bytes: 0 };
  },
  discardSnapshot: async () => {
    done.push('discard');
  },
  expireSnapshots: async () => ({ removed: [], kept: [] }),
  stageSnapshot: async () => {
    await step('stage');
    return { tables: [], notices: ['staged'] };
  },
  mergeSnapshot: async () => {
    await step('merge');
    losses -= 1;
    if (losses >= 0) return null;
    committed = true;
    return merged;
  },
  renewSnapshot: async () => {
    renewals += 1;
    throw ApplicationFailure.create({ message: 'renewed', nextRetryDelay: renewalDelay });
  },
  finishSnapshot: async (input) => {
    finishing = input;
    await step('finish');
    return { merged: committed ? merged : null, notices: ['finished'] };
  },
  recordSnapshot: async ({ state }) => {
    recorded.push(state);
  },
};

function preSnapshot() {
  const about = { fingerprint: '', database: 'shop', by: 'ada', type: 'pre_restore' } as const;
  const what = { tables: [], schemas: [], tenant: null, keep: null, readers: 1, partBytes: 1 };
  return { id: `${it.restoreId}-before`, name: 'before', ...about, ...what };
}

beforeEach(async () => {
  [renewals, renewalDelay] = [0, '2 minutes'];
  [done, recorded, failing, gated, losses, committed, finishing] = [[], [], null, 'stage', 0, false, null];
  it = await startWorkflowTest(testTemporal().address, 100, activities);
  restores = new SnapshotRestoreClient(it.client, it.taskQueue);
});

afterEach(async () => {
  gate.open();
  await it.close();
});

const keep = (name: string) => it.keepHistory(name, restoreWorkflowId(it.restoreId));

function request(given: Partial<SnapshotRequest> = {}): SnapshotRequest {
  return {
    ...{ restoreId: it.restoreId, fingerprint: '', database: 'shop', source: { kind: 'stored', id: 's1' } },
    ...{ tables: null, strategy: 'overwrite', newerBy: null, tenant: null, selection: 'selected.jsonl' },
    ...{ ifUnchanged: null, schemaStrategy: 'strict', again: false, preSnapshot: true },
    ...{ reason: 'why', by: 'ada', heartbeatSeconds: 5, ...given },
  };
}

test('a snapshot is restored step by step, and what activities tell is told', async () => {
  gate.close();
  losses = 1;
  await restores.start(request());
  await until('it stages', async () => (await restores.progress(it.restoreId)).steps[0]?.eta_seconds === 9);
  expect(await restores.progress(it.restoreId)).toMatchObject({
    ...{ state: 'running', snapshotStep: 'stage', preSnapshotId: preSnapshot().id, steps: [told] },
    ...{ keys: [{ hold: 'taken off' }], locks: [{ lock: 'access exclusive' }], outcome: null },
  });
  gate.open();
  expect(await restores.outcome(it.restoreId)).toMatchObject({
    ...{ state: 'completed', database: 'shop', preSnapshotId: preSnapshot().id, error: null },
    ...{ tables: merged.tables, transactionId: '741', notices: ['checked', 'staged', 'merged', 'finished'] },
  });
  // PostgreSQL crashed once, and with it went the stage.
  expect(done).toEqual(['check', 'take', 'stage', 'merge', 'stage', 'merge', 'finish']);
  expect(finishing).toMatchObject({ failure: null, request: { selection: 'selected.jsonl' } });
  expect(recorded).toEqual(['completed']);
  expect(await restores.progress(it.restoreId)).toMatchObject({
    ...{ state: 'completed', archives: { done: 1, total: 1 }, tally: { rows: { inserted: 1, updated: 2 } } },
    steps: [{ table: 'shop.orders', status: 'completed', progress_pct: 100, eta_seconds: 0 }],
  });
  await keep('restore-snapshot');
});

test('a restore of a snapshot that fails in any step says why, and leaves no snapshot of before', async () => {
  for (const failed of ['check', 'take', 'stage', 'merge'] as const) {
    [done, failing] = [[], failed];
    const { restoreId } = request({ restoreId: `${it.restoreId}-${failed}` });
    await restores.start(request({ restoreId }));
    expect(await restores.outcome(restoreId)).toMatchObject({
      ...{ state: 'failed', preSnapshotId: null, tables: [], transactionId: null },
      error: { code: 'ArchiveCorrupt', message: 'not whole' },
    });
    expect(done.at(-1)).toBe('finish');
    expect(finishing).toMatchObject({ failure: { code: 'ArchiveCorrupt' }, request: { restoreId } });
    expect(recorded.at(-1)).toBe('failed');
    if (failed === 'merge') await it.keepHistory('restore-snapshot-with-error', restoreWorkflowId(restoreId));
  }
});

test('a restore of a snapshot that is cancelled in any step changes nothing', async () => {
  for (const step of ['check', 'take', 'stage', 'merge'] as const) {
    [done, gated] = [[], step];
    gate.close();
    const { restoreId } = request({ restoreId: `${it.restoreId}-${step}` });
    await restores.start(request({ restoreId }));
    await until(step, async () => done.at(-1) === step);
    await it.restores.cancel(restoreId, null);
    expect(await restores.outcome(restoreId)).toMatchObject({
      ...{ state: 'cancelled', preSnapshotId: null, tables: [], error: null },
    });
    expect(done).toContain(`${step} broken off`);
    expect(done.at(-1)).toBe('finish');
    expect(finishing).toMatchObject({ failure: { code: 'Cancelled' } });
    const handle = it.client.workflow.getHandle(restoreWorkflowId(restoreId));
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    if (step === 'take') await it.keepHistory('restore-snapshot-cancelled', handle.workflowId);
  }
});

test('a restore of a snapshot that was committed is completed, whoever cancels it or loses its answer', async () => {
  gated = 'merge';
  gate.close();
  await restores.start(request());
  await until('it merges', async () => done.at(-1) === 'merge');
  committed = true;
  await it.restores.cancel(it.restoreId, null);
  expect(await restores.outcome(it.restoreId)).toMatchObject({
    ...{ state: 'completed', tables: merged.tables, preSnapshotId: preSnapshot().id },
  });
  failing = 'merge';
  const { restoreId } = request({ restoreId: `${it.restoreId}-2` });
  await restores.start(request({ restoreId }));
  const outcome = await restores.outcome(restoreId);
  expect(outcome).toMatchObject({ state: 'completed', error: null });
  expect(outcome.notices).toContain('not whole');
});

test('a restore of a snapshot that is paused holds before its next step, and with --now does it again', async () => {
  renewalDelay = '1ms';
  gate.close();
  await restores.start(request());
  await until('it stages', async () => done.at(-1) === 'stage');
  expect(await it.restores.pause(it.restoreId, 'lunch', false)).toBe('pausing');
  gate.open();
  await until('it is paused', async () => (await it.progress()).state === 'paused');
  expect(done.at(-1)).toBe('stage');
  gated = 'merge';
  gate.close();
  await it.restores.resume(it.restoreId);
  await until('it merges', async () => done.at(-1) === 'merge');
  await it.restores.pause(it.restoreId, null, true);
  await until('it is paused', async () => (await it.progress()).state === 'paused' && recorded.length === 3);
  // However long it holds its tables, its history does not grow.
  const handle = it.client.workflow.getHandle(restoreWorkflowId(it.restoreId));
  const lengthAfter = async (more: number) => {
    const enough = renewals + more;
    await until('it has kept its tables', async () => renewals >= enough);
    return (await handle.describe()).historyLength;
  };
  expect(await lengthAfter(2)).toBe(await lengthAfter(1));
  gate.open();
  await it.restores.resume(it.restoreId);
  expect(await restores.outcome(it.restoreId)).toMatchObject({ state: 'completed' });
  expect(done).toEqual(['check', 'take', 'stage', 'merge', 'merge broken off', 'merge', 'finish']);
  expect(recorded).toEqual(['paused', 'running', 'paused', 'running', 'completed']);
  await keep('restore-snapshot-paused');
});

test('a pause --now breaks off the snapshot of what is there, and takes it anew', async () => {
  gated = 'take';
  gate.close();
  await restores.start(request());
  await until('it is taken', async () => done.at(-1) === 'take');
  expect(await it.restores.pause(it.restoreId, null, true)).toBe('pausing');
  await until('it is paused', async () => (await it.progress()).state === 'paused');
  expect(done).toEqual(['check', 'take', 'take broken off', 'discard']);
  gate.open();
  await it.restores.resume(it.restoreId);
  expect(await restores.outcome(it.restoreId)).toMatchObject({
    ...{ state: 'completed', preSnapshotId: preSnapshot().id },
  });
  expect(done.slice(3)).toEqual(['discard', 'take', 'stage', 'merge', 'finish']);
});
