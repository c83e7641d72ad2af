import { afterAll, beforeAll, expect, test } from 'vitest';
import { watermarkKey } from '../../src/restore/watermark.ts';
import { type ArchivedRow, type Damage, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

/** What is left after restores as they happen: rows, ledger, watermark and counts. */
let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('scenarios');
});

afterAll(() => thaw?.close());

async function makeTable(name: string): Promise<void> {
  await thaw.pg.query(`create table ${name} (id int primary key, note text)`);
}

/** An archive of a day of January; its rows have the number of the batch unless others are given. */
async function archive(
  table: string,
  day: number,
  batch: number,
  rows: readonly ArchivedRow[] = [{ id: batch, note: `of ${batch}` }],
  corrupt?: Damage,
): Promise<void> {
  await writeArchive(thaw.bucket.put, {
    database: thaw.database.name,
    table,
    archivedAt: `2026-01-0${day}T05:20:21+00:00`,
    batch,
    rows,
    primaryKey: 'id',
    ...(corrupt === undefined ? {} : { corrupt }),
  });
}

/** What is left of a table; archives go by their numbers, restores by the order in which they were begun. */
async function remains(table: string) {
  const { rows } = await thaw.pg.query<{ id: number }>(`select * from ${table} order by id`);
  const { rows: ledger } = await thaw.pg.query<{ line: string }>(
    `select concat_ws(' ', (substring(key from '_batch_(\\d+)'))::int,
         'restore ' || dense_rank() over (order by r.created_at), a.state, a.inserted, a.updated, a.skipped) as line
     from thaw.archives a join thaw.restores r using (restore_id)
     where target_oid = $1::regclass order by r.created_at, key`,
    [table],
  );
  return { rows, ledger: ledger.map(({ line }) => line), watermark: await watermarkOf(table) };
}

/** Day, number of the archive, and how many were restored. */
async function watermarkOf(table: string): Promise<string | null> {
  const key = watermarkKey(`archives/${thaw.database.name}/${table}/`);
  if (!(await thaw.bucket.keys(key)).includes(key)) return null;
  const text = Buffer.from(await thaw.bucket.get(key)).toString();
  const {
    last_restored_date: date,
    last_restored_s3_key: last,
    total_archives_restored: total,
  } = JSON.parse(text) as {
    last_restored_date: string;
    last_restored_s3_key: string;
    total_archives_restored: number;
  };
  return `${date.slice(0, 10)} archive ${Number(/_batch_(\d+)/.exec(last)?.[1])} of ${total}`;
}

const row = (id: number) => ({ id, note: `of ${id}` });

test('a failing archive in the middle, and a second run', async () => {
  await makeTable('middle');
  await archive('middle', 4, 1);
  await archive('middle', 5, 2, undefined, 'compressed-sha256');
  await archive('middle', 6, 3);

  const first = await thaw.restore(['middle']);
  expect(first).toMatchObject({
    state: 'completed_with_failures',
    tally: {
      archives: { restored: 2, earlier: 0, failed: 1 },
      rows: { inserted: 2, updated: 0, skipped: 0, failed: 1 },
    },
    tables: [{ failures: [{ code: 'ChecksumMismatch' }] }],
  });
  const ledger = ['1 restore 1 restored 1 0 0', '2 restore 1 failed 0 0 0', '3 restore 1 restored 1 0 0'];
  expect(await remains('middle')).toEqual({
    ...{ rows: [row(1), row(3)], ledger, watermark: '2026-01-04 archive 1 of 2' },
  });

  // Not repaired yet, it is tried again all the same; then it is.
  expect((await thaw.restore(['middle'])).tally.archives).toEqual({ restored: 0, earlier: 2, failed: 1 });
  await archive('middle', 5, 2);
  expect((await thaw.restore(['middle'])).tally).toMatchObject({
    archives: { restored: 1, earlier: 2, failed: 0 },
    rows: { inserted: 1, updated: 0, skipped: 0, failed: 0 },
  });
  expect(await remains('middle')).toEqual({
    rows: [row(1), row(2), row(3)],
    ledger: [...ledger, '2 restore 2 failed 0 0 0', '2 restore 3 restored 1 0 0'],
    watermark: '2026-01-06 archive 3 of 3',
  });
});

test('an archive of an older day that comes late, and a new one of the same day', async () => {
  await makeTable('late');
  await archive('late', 5, 2);
  await thaw.restore(['late']);
  const first = '2 restore 1 restored 1 0 0';
  expect(await remains('late')).toEqual({
    ...{ rows: [row(2)], ledger: [first], watermark: '2026-01-05 archive 2 of 1' },
  });

  await archive('late', 4, 1);
  expect((await thaw.restore(['late'])).tally.archives).toEqual({ restored: 1, earlier: 1, failed: 0 });
  const second = '1 restore 2 restored 1 0 0';
  expect(await remains('late')).toEqual({
    ...{ rows: [row(1), row(2)], ledger: [first, second], watermark: '2026-01-05 archive 2 of 2' },
  });

  await archive('late', 5, 3);
  expect((await thaw.restore(['late'])).tally.archives).toEqual({ restored: 1, earlier: 2, failed: 0 });
  expect(await remains('late')).toEqual({
    rows: [row(1), row(2), row(3)],
    ledger: [first, second, '3 restore 3 restored 1 0 0'],
    watermark: '2026-01-05 archive 3 of 3',
  });
});

test('two restores that are started at once on the same table', async () => {
  await makeTable('contested');
  await archive('contested', 4, 1);
  await archive('contested', 5, 2);
  // Whichever comes first waits for whoever inserts the same key.
  const other = await thaw.database.client();
  await other.query('begin');
  await other.query('insert into contested values (1)');
  const requests = [thaw.request(['contested']), thaw.request(['contested'])];
  await Promise.all(requests.map((request) => thaw.restores.start(request)));
  const ends = requests.map(({ restoreId }) => thaw.restores.outcome(restoreId));

  const refused = await Promise.race(ends);
  expect(refused).toMatchObject({
    state: 'failed',
    tally: { archives: { restored: 0, earlier: 0, failed: 0 } },
    tables: [{ error: { code: 'TargetBusy' } }],
  });
  await other.query('rollback');
  const outcomes = await Promise.all(ends);
  expect(outcomes.map(({ state }) => state).sort()).toEqual(['completed', 'failed']);
  const done = outcomes.find(({ state }) => state === 'completed');
  expect(done?.tally).toMatchObject({
    archives: { restored: 2, earlier: 0, failed: 0 },
    rows: { inserted: 2, updated: 0, skipped: 0, failed: 0 },
  });
  expect(await remains('contested')).toEqual({
    rows: [row(1), row(2)],
    ledger: ['1 restore 1 restored 1 0 0', '2 restore 1 restored 1 0 0'],
    watermark: '2026-01-05 archive 2 of 2',
  });
});

test('the same restore at 1 and at 8 lanes', async () => {
  const results = [];
  for (const lanes of [1, 8]) {
    const table = `at_${lanes}`;
    await makeTable(table);
    await thaw.pg.query(`insert into ${table} values (0, 'was there'), (5, 'was there')`);
    // Neighbours share a key, so that the order decides which row stays.
    for (let batch = 1; batch <= 10; batch++) {
      const ids = [batch, batch + 1, batch % 4];
      await archive(
        table,
        4,
        batch,
        ids.map((id) => ({ id, note: `of ${batch}` })),
      );
    }
    const { state, tally } = await thaw.restore([table], {
      ...{ lanes, packBytes: 0, conflictStrategy: 'overwrite' },
    });
    results.push({ state, tally: { ...tally, bytes: 0 }, ...(await remains(table)) });
  }
  const [one, eight] = results;
  expect(eight).toEqual(one);
  expect(one).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 10, earlier: 0, failed: 0 } },
    watermark: '2026-01-04 archive 10 of 10',
  });
  expect(one?.rows).toContainEqual({ id: 5, note: 'of 5' });
});
