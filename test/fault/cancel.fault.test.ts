import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { cancelSignal } from '../../src/contract/messages.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { ArchivedTable, expectNoSessions } from './archived-table.ts';
import { type FaultProxy, startFaultProxy, type Verdict } from './fault-proxy.ts';
import { expectSoundHistories } from './histories.ts';
import { until } from './until.ts';

let postgres: FaultProxy;
let thaw: TestThaw;

beforeAll(async () => {
  postgres = await startFaultProxy(Number(new URL(inject('stack').postgresUrl).port));
  thaw = await createTestThaw('cancel', 'worker', { postgresPort: postgres.port });
});

afterAll(async () => {
  await thaw.close();
  await postgres.close();
});

const rows = 100;
const shape = { archives: 80, rows };
const options = { packBytes: 8_000, dropIndexes: 'always' } as const;

const ways = {
  "Temporal's own cancel": (workflowId: string) => thaw.client.workflow.getHandle(workflowId).cancel(),
  'the cancel signal': (workflowId: string) =>
    thaw.client.workflow.getHandle(workflowId).signal(cancelSignal, 'enough'),
};

test.each([
  ["Temporal's own cancel", 'cancelled'],
  ['the cancel signal', 'signalled'],
] as const)('%s during a load ends it soon, with whole archives and all indexes', async (way, name) => {
  const table = await ArchivedTable.create(thaw, { table: name, ...shape });
  const request = thaw.request([name], options);
  await thaw.restores.start(request);
  await until('some archives are restored', async () => {
    const restored = await table.restoredIn(request.restoreId).catch(() => []);
    return restored.length > 2;
  });
  expect(await indexesOf(name), 'dropped meanwhile').toEqual([`${name}_pkey`]);

  const asked = Date.now();
  await ways[way](restoreWorkflowId(request.restoreId));
  const outcome = await thaw.restores.outcome(request.restoreId);

  expect(Date.now() - asked).toBeLessThan(10_000);
  const { status } = await thaw.client.workflow.getHandle(restoreWorkflowId(request.restoreId)).describe();
  expect(status.name).toBe('CANCELLED');
  expect(outcome.state).toBe('cancelled');
  const restored = await table.restoredIn(request.restoreId);
  expect(restored.length).toBeLessThan(80);
  expect(outcome.tally.archives).toEqual({ restored: restored.length, earlier: 0, failed: 0 });
  await expectWholeArchives(table, restored);
  expect(await indexesOf(name)).toEqual([`${name}_archive`, `${name}_pkey`]);
  expect(await stateOf(request.restoreId)).toBe('cancelled');
  await expectNoSessions(thaw.pg);

  const next = await thaw.restore([name], options);

  expect(next).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 80 - restored.length, earlier: restored.length, failed: 0 } },
  });
  await table.expectRestored('skip');
  await expectSoundHistories(thaw.client, request.restoreId);
});

test('a load that waits for a lock is cancelled as soon', async () => {
  const table = await ArchivedTable.create(thaw, { table: 'waiting', ...shape });
  const blocker = await thaw.database.client();
  await blocker.query('begin');
  await blocker.query('lock table waiting in share mode');
  const request = thaw.request(['waiting'], { packBytes: 8_000 });
  await thaw.restores.start(request);
  await until('a load waits for the lock', async () => {
    const { rowCount } = await thaw.pg.query(
      `select from pg_stat_activity where starts_with(application_name, $1) and wait_event = 'relation'`,
      [`thaw/${request.restoreId}/`],
    );
    return (rowCount ?? 0) > 0;
  });

  const asked = Date.now();
  await thaw.restores.cancel(request.restoreId, null);
  const outcome = await thaw.restores.outcome(request.restoreId);

  expect(Date.now() - asked).toBeLessThan(10_000);
  expect(outcome).toMatchObject({ state: 'cancelled', tally: { archives: { restored: 0, failed: 0 } } });
  await blocker.query('rollback');
  await expectNoSessions(thaw.pg);
  expect((await thaw.pg.query('select from waiting')).rowCount).toBe(0);
  expect(await thaw.restore(['waiting'])).toMatchObject({ state: 'completed' });
  await table.expectRestored('skip');
});

test('a load that is cancelled while it commits is counted', async () => {
  const table = await ArchivedTable.create(thaw, { table: 'committing', ...shape });
  const request = thaw.request(['committing'], { packBytes: 8_000 });
  const committing = new Set<number>();
  let asked: Promise<void> | null = null;
  postgres.interfere({
    request: (bytes, { number }) => {
      if (bytes[0] === 'Q'.charCodeAt(0) && bytes.includes('commit\0')) committing.add(number);
      return 'pass';
    },
    answer: async (_, { number }): Promise<Verdict> => {
      // The ledger's schema is made in a transaction too.
      const restored = committing.delete(number)
        ? await table.restoredIn(request.restoreId).catch(() => [])
        : [];
      if (restored.length === 0) return 'pass';
      asked ??= thaw.restores.cancel(request.restoreId, null);
      // Longer than it takes a load to hear of it.
      await asked.then(() => delay(3_500));
      return 'pass';
    },
  });
  await thaw.restores.start(request);

  const outcome = await thaw.restores.outcome(request.restoreId);
  postgres.interfere({});

  const restored = await table.restoredIn(request.restoreId);
  expect(restored.length).toBeGreaterThan(0);
  expect(outcome).toMatchObject({ state: 'cancelled', tally: { archives: { restored: restored.length } } });
  await expectWholeArchives(table, restored);
});

/** Fails unless the table has these archives whole, and nothing of any other. */
async function expectWholeArchives(table: ArchivedTable, keys: readonly string[]): Promise<void> {
  const found = await thaw.pg.query<{ archive: number; rows: number }>(
    `select archive, count(*)::int as rows from ${table.shape.table} group by archive order by archive`,
  );
  const archives = keys.map((key) => table.keys.indexOf(key)).sort((a, b) => a - b);
  expect(found.rows).toEqual(archives.map((archive) => ({ archive, rows })));
}

async function indexesOf(table: string): Promise<string[]> {
  const found = await thaw.pg.query<{ name: string }>(
    `select indexname as name from pg_indexes where tablename = $1 order by indexname`,
    [table],
  );
  return found.rows.map(({ name }) => name);
}

async function stateOf(restoreId: string): Promise<string | undefined> {
  const found = await thaw.pg.query<{ state: string }>(
    `select state from thaw.restores where restore_id = $1`,
    [restoreId],
  );
  return found.rows[0]?.state;
}
