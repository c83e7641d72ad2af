import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-code.ts';
import { type Damage, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('verify_first');
});

afterAll(async () => {
  await thaw.close();
});

async function prepare(table: string, damages: readonly (Damage | undefined)[]): Promise<void> {
  await thaw.pg.query(`create table ${table} (id int primary key)`);
  for (const [place, corrupt] of damages.entries()) {
    await writeArchive((key, body) => thaw.bucket.put(key, body), {
      database: thaw.database.name,
      table,
      archivedAt: new Date('2026-01-04T05:20:21Z'),
      batch: place + 1,
      rows: [{ id: 2 * place }, { id: 2 * place + 1 }],
      primaryKey: 'id',
      ...(corrupt === undefined ? {} : { corrupt }),
    });
  }
}

async function count(table: string): Promise<number> {
  const { rows } = await thaw.pg.query<{ rows: number }>(`select count(*)::int as rows from ${table}`);
  return rows[0]?.rows ?? -1;
}

test('one bad archive among others: nothing is loaded into any table, and the report names all that are bad', async () => {
  await prepare('fine', [undefined]);
  await prepare('bad', [undefined, 'flipped-byte', undefined, 'record-count', 'truncated']);
  const outcome = await thaw.restore(['fine', 'bad'], { verifyFirst: true });
  expect([await count('fine'), await count('bad')]).toEqual([0, 0]);
  expect(outcome).toMatchObject({
    state: 'failed',
    tally: { archives: { restored: 0, failed: 3 }, rows: { inserted: 0 } },
    error: { message: '3 of 6 archives did not pass --verify-first, so nothing was loaded.' },
  });
  const [fine, bad] = outcome.tables;
  expect(fine).toMatchObject({ target: 'public.fine', error: null, failures: [] });
  expect(bad?.error?.message).toBe(
    'public.bad: 3 of 5 archives did not pass --verify-first, so nothing was loaded.',
  );
  expect(bad?.failures.map(({ archive, code }) => [archive.slice(-12, -9), code])).toEqual([
    ['002', 'ChecksumMismatch'],
    ['004', 'CountMismatch'],
    ['005', 'ChecksumMismatch'],
  ]);
  expect(exitCodeOf(outcome)).toBe(3);
  const { rows: targets } = await thaw.pg.query('select from thaw.targets');
  expect(targets).toHaveLength(0);

  const without = await thaw.restore(['bad']);
  expect(without.tally.archives).toEqual({ restored: 2, earlier: 0, failed: 3 });
  expect(await count('bad')).toBe(4);
});

test('sound archives are loaded after all were read', async () => {
  await prepare('sound', [undefined, undefined, 'no-metadata']);
  const outcome = await thaw.restore(['sound'], { verifyFirst: true });
  expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 3, failed: 0 } } });
  expect(await count('sound')).toBe(6);
});

test('an archive that is not there does not pass either', async () => {
  await prepare('asked', [undefined]);
  const [key = ''] = await thaw.bucket.keys(`archives/${thaw.database.name}/asked/`);
  const request = thaw.request(['asked'], { verifyFirst: true });
  const keys = [key, key.replace('_001', '_002')];
  await thaw.restores.start({ ...request, keys });
  const outcome = await thaw.restores.outcome(request.restoreId);
  expect(outcome.tables[0]?.failures).toMatchObject([{ archive: keys[1], code: 'ArchiveNotFound' }]);
  expect([await count('asked'), exitCodeOf(outcome)]).toEqual([0, 3]);
});
