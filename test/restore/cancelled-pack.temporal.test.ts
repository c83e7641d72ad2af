import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('cancelled_pack');
});

afterAll(async () => {
  await thaw.close();
});

test('cancelled in the middle of a pack, a restore tells what the ledger has of it', async () => {
  await thaw.pg.query('create table items (id int primary key)');
  for (const [place, id] of [1, 2, 3].entries()) {
    await writeArchive((key, body) => thaw.bucket.put(key, body), {
      ...{ database: thaw.database.name, table: 'items', archivedAt: new Date('2026-01-04T05:20:21Z') },
      ...{ batch: place + 1, rows: [{ id }, { id: id + 10 }], primaryKey: 'id' },
      // It has the pack done again, archive by archive.
      ...(place === 1 ? { corrupt: 'flipped-byte' as const } : {}),
    });
  }
  const holder = await thaw.database.client();
  await holder.query('begin; insert into items values (3)');
  const request = thaw.request(['items'], { commitFrequency: 3 });
  await thaw.restores.start(request);
  const decided = async () => {
    const known = await thaw.pg.query(`select to_regclass('thaw.archives') is not null as known`);
    if (!known.rows[0].known) return 0;
    const { rowCount } = await thaw.pg.query('select from thaw.archives');
    return rowCount;
  };
  await expect.poll(decided, { timeout: 30_000 }).toBe(2);
  await thaw.restores.cancel(request.restoreId, null);
  const outcome = await thaw.restores.outcome(request.restoreId);
  await holder.query('rollback');

  const tally = {
    archives: { restored: 1, earlier: 0, failed: 1 },
    rows: { inserted: 2, updated: 0, skipped: 0, failed: 2 },
  };
  expect(outcome).toMatchObject({ state: 'cancelled', tally });
  expect(outcome.tables[0]?.failures).toMatchObject([{ code: 'ChecksumMismatch', rows: 2 }]);
  const { rows } = await thaw.pg.query('select state, outcome from thaw.restores');
  expect(rows).toMatchObject([{ state: 'cancelled', outcome: { tally } }]);
});
