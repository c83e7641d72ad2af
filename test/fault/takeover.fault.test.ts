import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { restoreWorkflowId, targetWorkflowId } from '../../src/contract/names.ts';
import type { RestoreRequest } from '../../src/contract/restore-request.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { ArchivedTable, expectNoSessions } from './archived-table.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { expectSoundHistories } from './histories.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

let s3: FaultProxy;
let thaw: TestThaw;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-takeover-'));
  s3 = await startFaultProxy(Number(new URL(inject('stack').s3.endpoint).port));
  thaw = await createTestThaw('takeover', 'no worker', { s3Endpoint: `http://127.0.0.1:${s3.port}` });
});

afterAll(async () => {
  await thaw.close();
  await s3.close();
  await rm(folder, { recursive: true });
});

const shape = { archives: 40, rows: 100, repeated: 20 };
const options = { packBytes: 8_000, heartbeatSeconds: 5 };
/** Far below the five minutes of the lease. */
const atOnce = 30_000;

test('a restore that was terminated while a lock held it up is taken over at once', async () => {
  await thaw.startWorker();
  const table = await ArchivedTable.create(thaw, { table: 'locked', ...shape });
  const zombie = thaw.request(['locked'], options);
  const blocker = await lockTable('locked');
  await thaw.restores.start(zombie);
  await until('a load waits for the lock', () => waitsForLock(zombie));

  await terminate(zombie, 'locked');
  const heir = thaw.request(['locked'], options);
  await thaw.restores.start(heir);
  await until('the table is taken over', async () => (await holderOf('locked')) === heir.restoreId, atOnce);
  await blocker.end();

  await expectTakenOver(table, zombie, heir);
});

test('a restore that was terminated while the store gave it nothing is taken over at once', async () => {
  await thaw.startWorker();
  const table = await ArchivedTable.create(thaw, { table: 'stalled', ...shape });
  const zombie = thaw.request(['stalled'], options);
  let held = 0;
  s3.interfere({
    answer: (bytes) => {
      // Listings pass; the data of some archives do not.
      if (bytes.includes('ListBucketResult') || held++ % 3 !== 2) return 'pass';
      return 'hold';
    },
  });
  await thaw.restores.start(zombie);
  await until('loads are under way, and hold claims', async () => (await sessionsOf(zombie)) > 0);
  await terminate(zombie, 'stalled');
  s3.interfere({});

  const heir = thaw.request(['stalled'], options);
  await thaw.restores.start(heir);

  await expectTakenOver(table, zombie, heir);
});

test('a worker that was frozen, and wakes up when its restore was taken over, commits nothing', async () => {
  await thaw.stopWorker();
  const table = await ArchivedTable.create(thaw, { table: 'frozen', ...shape });
  const zombie = thaw.request(['frozen'], options);
  const worker = await WorkerProcess.start(thaw, folder);
  try {
    await thaw.restores.start(zombie);
    await until('some archives are restored', async () => {
      const restored = await table.restoredIn(zombie.restoreId).catch(() => []);
      return restored.length > 2;
    });
    worker.freeze();
    const before = await table.restoredIn(zombie.restoreId);
    await terminate(zombie, 'frozen');

    const heir = thaw.request(['frozen'], options);
    await thaw.restores.start(heir);
    await thaw.startWorker();
    await until('the table is taken over', async () => (await holderOf('frozen')) === heir.restoreId, atOnce);
    const atTakeover = await table.restoredIn(zombie.restoreId);
    expect(atTakeover.length).toBeGreaterThanOrEqual(before.length);
    worker.wake();

    await expectTakenOver(table, zombie, heir);
    expect(await table.restoredIn(zombie.restoreId)).toEqual(atTakeover);
  } finally {
    await worker.kill();
  }
});

test('a table that another restore holds is busy, and the other tables go on', async () => {
  await thaw.startWorker();
  const busy = await ArchivedTable.create(thaw, { table: 'busy', ...shape, archives: 3 });
  const free = await ArchivedTable.create(thaw, { table: 'free', ...shape, archives: 3 });
  const holder = thaw.request(['busy'], options);
  const blocker = await lockTable('busy');
  await thaw.restores.start(holder);
  await until('a load waits for the lock', () => waitsForLock(holder));

  const both = await thaw.restore(['busy', 'free'], options);
  const alone = await thaw.restore(['busy'], options);
  await blocker.end();

  expect(both.state).toBe('completed_with_failures');
  expect(both.tables.find(({ target }) => target === 'public.free')).toMatchObject({
    error: null,
    tally: { archives: { restored: 3 } },
  });
  const error = both.tables.find(({ target }) => target === 'public.busy')?.error;
  expect(error?.code).toBe('TargetBusy');
  expect(error?.message).toContain(targetWorkflowId(thaw.database.name, 'public', 'busy'));
  expect(error?.hint).not.toBe('');
  expect(alone).toMatchObject({ state: 'failed', tables: [{ error: { code: 'TargetBusy' } }] });
  await free.expectRestored('skip');

  expect(await thaw.restores.outcome(holder.restoreId)).toMatchObject({ state: 'completed' });
  await busy.expectRestored('skip');
  await busy.expectLedger(holder.restoreId);
  for (const { restoreId } of [both, alone, holder]) await expectSoundHistories(thaw.client, restoreId);
});

test('a table that a restore of another Temporal server holds is busy until that one is dead', async () => {
  await thaw.startWorker();
  const table = await ArchivedTable.create(thaw, { table: 'far_away', ...shape, archives: 3 });
  const first = await thaw.restore(['far_away'], options);
  const hold = async (lease: string) =>
    thaw.pg.query(
      `update thaw.targets set restore_id = 'elsewhere', holder_workflow = 'other/default/target/x',
         released_at = null, lease_until = now() + $2::interval
       where target_oid = $1::regclass`,
      ['far_away', lease],
    );

  await hold('1 minute');
  const refused = await thaw.restore(['far_away'], { ...options, ignoreWatermark: true });
  expect(refused).toMatchObject({ state: 'failed', tables: [{ error: { code: 'TargetBusy' } }] });
  expect(refused.tables[0]?.error?.message).toContain('elsewhere');
  expect(await holderOf('far_away')).toBe('elsewhere');

  await hold('-1 second');
  const taken = await thaw.restore(['far_away'], { ...options, ignoreWatermark: true });
  expect(taken).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 3 }, rows: { inserted: 0 } },
  });
  await table.expectLedger(first.restoreId);
  await table.expectRestored('skip');
});

/** Waits for the heir, and fails unless table and ledgers are those of two restores one after the other. */
async function expectTakenOver(
  table: ArchivedTable,
  zombie: RestoreRequest,
  heir: RestoreRequest,
): Promise<void> {
  const outcome = await until(
    'the heir ends',
    async () => {
      const standing = (await thaw.restores.describe(heir.restoreId))?.standing;
      return standing !== 'running' && standing !== 'queued' && thaw.restores.outcome(heir.restoreId);
    },
    atOnce,
  );
  const byZombie = await table.restoredIn(zombie.restoreId);
  expect(outcome).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 40 - byZombie.length, earlier: byZombie.length, failed: 0 } },
  });
  await table.expectRestored('skip');
  expect([...byZombie, ...(await table.restoredIn(heir.restoreId))].sort()).toEqual([...table.keys].sort());
  await expectNoSessions(thaw.pg);
  await expectSoundHistories(thaw.client, heir.restoreId);
}

/** Terminates a restore, its table and its loads, which gives none of them a chance to clean up. */
async function terminate({ restoreId }: RestoreRequest, table: string): Promise<void> {
  const target = targetWorkflowId(thaw.database.name, 'public', table);
  const { events } = await thaw.client.workflow.getHandle(target).fetchHistory();
  const loads = (events ?? []).flatMap((event) => {
    const id = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
    return id ? [id] : [];
  });
  for (const id of [restoreWorkflowId(restoreId), target, ...loads]) {
    // Most of the loads have ended by themselves.
    await thaw.client.workflow
      .getHandle(id)
      .terminate('test')
      .catch(() => {});
  }
}

/** A connection that lets nobody write to a table until it ends. */
async function lockTable(table: string): Promise<Client> {
  const client = await thaw.database.client();
  await client.query('begin');
  await client.query(`lock table ${table} in share mode`);
  return client;
}

async function waitsForLock({ restoreId }: RestoreRequest): Promise<boolean> {
  const { rows } = await thaw.pg.query(
    `select from pg_stat_activity
     where starts_with(application_name, $1) and wait_event_type = 'Lock' and wait_event = 'relation'`,
    [`thaw/${restoreId}/`],
  );
  return rows.length > 0;
}

async function sessionsOf({ restoreId }: RestoreRequest): Promise<number> {
  const { rows } = await thaw.pg.query(
    `select from pg_stat_activity
     where application_name ~ ('^thaw/' || $1 || '/[0-9]+\\.') and state = 'idle in transaction'`,
    [restoreId],
  );
  return rows.length;
}

async function holderOf(table: string): Promise<string | undefined> {
  const { rows } = await thaw.pg.query<{ restore_id: string }>(
    `select restore_id from thaw.targets where target_oid = $1::regclass`,
    [table],
  );
  return rows[0]?.restore_id;
}
