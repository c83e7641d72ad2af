import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { ArchivedTable, expectNoSessions, type TableShape } from './archived-table.ts';
import { type FaultProxy, startFaultProxy, type Verdict } from './fault-proxy.ts';
import { expectSoundHistories } from './histories.ts';
import { until } from './until.ts';

let s3: FaultProxy;
let postgres: FaultProxy;
let thaw: TestThaw;

beforeAll(async () => {
  const stack = inject('stack');
  s3 = await startFaultProxy(Number(new URL(stack.s3.endpoint).port));
  postgres = await startFaultProxy(Number(new URL(stack.postgresUrl).port));
  thaw = await createTestThaw('connections', 'worker', {
    s3Endpoint: `http://127.0.0.1:${s3.port}`,
    postgresPort: postgres.port,
  });
});

afterEach(async () => {
  s3.interfere({});
  postgres.interfere({});
});

afterAll(async () => {
  await thaw.close();
  await s3.close();
  await postgres.close();
});

/** Small packs, in all lanes, with rows that neighbours share: order matters, and there are many commits. */
const packs: Omit<TableShape, 'table'> = { archives: 48, rows: 120, repeated: 20 };
const inPacks: Partial<RestoreOptions> = { packBytes: 8_000 };

test('streams from S3 that are cut again and again', async () => {
  const large = await ArchivedTable.create(thaw, {
    table: 'large_streams',
    archives: 3,
    rows: 9_000,
    repeated: 1_000,
    noteLength: 300,
  });
  const small = await ArchivedTable.create(thaw, { table: 'small_streams', ...packs });
  let cuts = 0;
  s3.interfere({
    answer: (_, { number, answered }) => {
      // Each connection gives some of an archive; every third breaks in the head of an answer already.
      if (answered < (number % 3 === 0 ? 1 : 400_000)) return 'pass';
      cuts += 1;
      return 'cut';
    },
  });

  const outcome = await thaw.restore(['large_streams', 'small_streams'], inPacks);

  expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 51 } } });
  expect(cuts).toBeGreaterThan(10);
  await large.expectRestored('skip');
  await small.expectRestored('skip');
  await expectSoundHistories(thaw.client, outcome.restoreId);
});

test('connections to PostgreSQL that are cut in the middle of a COPY', async () => {
  const table = await ArchivedTable.create(thaw, { table: 'cut_copy', ...packs });
  const cuts = new Set<number>();
  postgres.interfere({
    request: (bytes, { number }) => {
      if (cuts.size >= 8 || !isCopyData(bytes)) return 'pass';
      cuts.add(number);
      return cuts.size % 2 === 0 ? 'cut' : 'pass and cut';
    },
  });

  await expectWholeRestore(table, 'skip');

  expect(cuts.size).toBe(8);
});

test('a connection that is lost while the archive is being downloaded', async () => {
  const table = await ArchivedTable.create(thaw, {
    table: 'cut_between',
    archives: 2,
    rows: 12_000,
    repeated: 100,
    noteLength: 300,
  });
  // The download stands still in the middle of an archive, and the session ends meanwhile.
  s3.interfere({ answer: (_, { answered }) => (answered > 1_500_000 ? 'hold' : 'pass') });
  const request = thaw.request([table.shape.table]);
  await thaw.restores.start(request);
  await until('rows are on their way', async () => {
    const { rows } = await thaw.pg.query(
      `select from pg_stat_progress_copy where relid = $1::regclass and bytes_processed > 0`,
      [table.shape.table],
    );
    return rows.length > 0;
  });
  await endSessions();
  // What is left of the archive was lost on its way, so its connection has to go.
  s3.interfere({ answer: (_, { answered }) => (answered > 1_500_000 ? 'cut' : 'pass') });

  const outcome = await thaw.restores.outcome(request.restoreId);

  expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 2, failed: 0 } } });
  await table.expectRestored('skip');
});

test.each<[string, string, Verdict, 'skip' | 'overwrite']>([
  ['before the server has it', 'cut_before_commit', 'cut', 'skip'],
  ['before the server has it, staged', 'cut_before_commit_staged', 'cut', 'overwrite'],
  ['behind it, so that no answer comes back', 'cut_behind_commit', 'pass and cut', 'skip'],
  ['behind it, staged', 'cut_behind_commit_staged', 'pass and cut', 'overwrite'],
])('connections to PostgreSQL that are cut at COMMIT: %s', async (_, name, verdict, strategy) => {
  const table = await ArchivedTable.create(thaw, { table: name, ...packs });
  let cuts = 0;
  postgres.interfere({
    request: (bytes) => {
      if (cuts >= 3 || !isCommit(bytes)) return 'pass';
      cuts += 1;
      return verdict;
    },
  });

  await expectWholeRestore(table, strategy);

  expect(cuts).toBe(3);
});

test('an answer to COMMIT that is lost behind the commit', async () => {
  const table = await ArchivedTable.create(thaw, { table: 'lost_answer', ...packs });
  const committing = new Set<number>();
  let lost = 0;
  postgres.interfere({
    request: (bytes, { number }) => {
      if (isCommit(bytes)) committing.add(number);
      return 'pass';
    },
    answer: (_, { number }) => {
      if (lost >= 3 || !committing.delete(number)) return 'pass';
      lost += 1;
      return 'cut';
    },
  });

  await expectWholeRestore(table, 'skip');

  expect(lost).toBe(3);
});

test('all sessions are terminated, several times', async () => {
  const table = await ArchivedTable.create(thaw, { table: 'terminated', ...packs });
  const request = thaw.request([table.shape.table], inPacks);
  await thaw.restores.start(request);
  let ended = 0;
  for (let round = 0; round < 3; round++) {
    const before = (await table.restoredIn(request.restoreId).catch(() => [])).length;
    await until('the load goes on', async () => {
      const restored = await table.restoredIn(request.restoreId).catch(() => []);
      return restored.length > before || restored.length === packs.archives;
    });
    ended += await endSessions();
  }

  const outcome = await thaw.restores.outcome(request.restoreId);

  expect(ended).toBeGreaterThan(0);
  expect(outcome).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: packs.archives, failed: 0 } },
  });
  await table.expectRestored('skip');
  await table.expectLedger(request.restoreId);
  await expectSoundHistories(thaw.client, request.restoreId);
});

/** Restores a table in packs, and fails unless everything is there exactly once. */
async function expectWholeRestore(
  table: ArchivedTable,
  conflictStrategy: 'skip' | 'overwrite',
): Promise<void> {
  const outcome = await thaw.restore([table.shape.table], { ...inPacks, conflictStrategy });
  const { archives, rows } = table.shape;
  expect(outcome).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: archives, failed: 0 } },
  });
  const { inserted, updated, skipped } = outcome.tally.rows;
  expect(inserted + updated + skipped, 'rows that were read').toBe(archives * rows);
  await table.expectRestored(conflictStrategy);
  await table.expectLedger(outcome.restoreId);
  await expectSoundHistories(thaw.client, outcome.restoreId);
  await expectNoSessions(thaw.pg);
}

/** @returns how many there were */
async function endSessions(): Promise<number> {
  const { rows } = await thaw.pg.query<{ ended: number }>(
    `select count(*) filter (where pg_terminate_backend(pid))::int as ended from pg_stat_activity
     where datname = current_database() and starts_with(application_name, 'thaw/')`,
  );
  return rows[0]?.ended ?? 0;
}

/** A simple query, as the driver sends it. */
function isCommit(bytes: Buffer): boolean {
  return bytes[0] === 'Q'.charCodeAt(0) && bytes.includes('commit\0');
}

/** CopyData, the beginning of it at least. */
function isCopyData(bytes: Buffer): boolean {
  return bytes[0] === 'd'.charCodeAt(0);
}
