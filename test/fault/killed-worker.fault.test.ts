import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UndoClient } from '../../src/client/undo-client.ts';
import { undoExtent } from '../../src/restore/undo-progress.ts';
import { writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { ArchivedTable, expectNoSessions } from './archived-table.ts';
import { expectSoundHistories } from './histories.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

let thaw: TestThaw;
let folder: string;

beforeAll(async () => {
  thaw = await createTestThaw('killed', 'no worker');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-killed-'));
});

afterAll(async () => {
  await thaw.close();
  await rm(folder, { recursive: true });
});

const kills = 4;

test('workers that are killed again and again, under skip and overwrite', { timeout: 170_000 }, async () => {
  const shape = { archives: 120, rows: 500, repeated: 50 };
  const kept = await ArchivedTable.create(thaw, { ...shape, table: 'kept' });
  const replaced = await ArchivedTable.create(thaw, { ...shape, table: 'replaced' });
  const options = { packBytes: 40_000, heartbeatSeconds: 2, lanes: 4, dropIndexes: 'always' } as const;
  const skip = thaw.request(['kept'], { ...options, conflictStrategy: 'skip' });
  const overwrite = thaw.request(['replaced'], { ...options, conflictStrategy: 'overwrite' });
  await thaw.restores.start(skip);
  await thaw.restores.start(overwrite);

  const decided = async () =>
    (await kept.restoredIn(skip.restoreId).catch(() => [])).length +
    (await replaced.restoredIn(overwrite.restoreId).catch(() => [])).length;
  const inMiddle: number[] = [];
  let worker = await WorkerProcess.start(thaw, folder);
  try {
    for (let kill = 0; kill < kills; kill++) {
      const before = await decided();
      // The first ones come at any moment, before the table is taken even; the later ones within the loads.
      if (kill > 1) await until('archives are restored', async () => (await decided()) > before, 60_000);
      await delay(Math.random() * 400);
      await worker.kill();
      inMiddle.push(await decided());
      worker = await WorkerProcess.start(thaw, folder);
    }
    const outcomes = await Promise.all(
      [skip, overwrite].map(({ restoreId }) => thaw.restores.outcome(restoreId)),
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        state: 'completed',
        tally: { archives: { restored: 120, failed: 0 } },
      });
      const { inserted, updated, skipped } = outcome.tally.rows;
      expect(inserted + updated + skipped, 'rows that were read').toBe(120 * 500);
    }
    expect(worker.end).toBeNull();
  } finally {
    await worker.kill();
  }
  expect(inMiddle.filter((count) => count > 0 && count < 240).length, String(inMiddle)).toBeGreaterThan(1);

  await kept.expectRestored('skip');
  await kept.expectLedger(skip.restoreId);
  await replaced.expectRestored('overwrite');
  await replaced.expectLedger(overwrite.restoreId);
  await kept.expectIndexed();
  await replaced.expectIndexed();
  await expectNoSessions(thaw.pg);
  // A worker answers for a workflow's history alone, so one that is gone does no harm here.
  expect(await expectSoundHistories(thaw.client, skip.restoreId)).toBeGreaterThan(10);
  await expectSoundHistories(thaw.client, overwrite.restoreId);
});

test('an undo whose worker is killed ends as if it had run once', { timeout: 112_000 }, async () => {
  await thaw.pg.query(`
    create table taken_back (id int primary key, note text);
    insert into taken_back select id, 'mine' from generate_series(1, 12000) as id`);
  const rows = Array.from({ length: 24_000 }, (_, place) => ({ id: place + 1, note: 'archived' }));
  await writeArchive(thaw.bucket.put, {
    ...{ database: thaw.database.name, table: 'taken_back', rows, batch: 1, primaryKey: 'id' },
    archivedAt: '2026-01-04T05:20:21+00:00',
  });
  const options = { conflictStrategy: 'overwrite', undoable: true, heartbeatSeconds: 2 } as const;
  let worker = await WorkerProcess.start(thaw, folder);
  try {
    const { restoreId: undoes, state } = await thaw.restore(['taken_back'], options);
    expect(state).toBe('completed');
    const { taskQueue } = thaw.temporal;
    const undos = new UndoClient(thaw.client, taskQueue);
    const { database, fingerprint } = thaw.request(['taken_back'], options);
    const restoreId = `${undoes}-undo`.slice(-32);
    await undos.start({
      ...{ restoreId, undoes, database, fingerprint, disableTriggers: false },
      ...{ by: 'ada', reason: null, heartbeatSeconds: 2 },
    });
    const undone = async () => {
      const { rows: found } = await thaw.pg.query(
        'select deleted + brought_back + gone as rows from thaw.undo_tables where restore_id = $1',
        [undoes],
      );
      return Number(found[0]?.rows ?? 0);
    };
    await until('rows are undone', async () => (await undone()) > 0);
    await worker.kill();
    const inMiddle = await undone();
    expect(inMiddle).toBeLessThan(24_000);
    worker = await WorkerProcess.start(thaw, folder);
    const outcome = await undos.outcome(restoreId);
    // Nothing is counted twice, whoever has undone it.
    expect(outcome).toMatchObject({
      state: 'completed',
      tables: [{ target: 'public.taken_back', deleted: 12_000, broughtBack: 12_000, gone: 0, left: [] }],
    });
    expect(undoExtent(await undos.progress(restoreId))).toEqual({ done: 24_000, total: 24_000 });
  } finally {
    await worker.kill();
  }
  const { rows: table } = await thaw.pg.query(
    `select count(*)::int as rows, min(id) as first, max(id) as last,
       bool_and(note = 'mine') as mine
     from taken_back`,
  );
  expect(table).toEqual([{ rows: 12_000, first: 1, last: 12_000, mine: true }]);
  expect((await thaw.pg.query('select from thaw.undo_rows')).rowCount).toBe(0);
  await expectNoSessions(thaw.pg);
});
