import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import { conflictStrategies, type RestoreOptions } from '../../src/contract/restore-request.ts';
import { type ArchivedRow, writeArchive } from '../harness/archive-writer.ts';
import { soakSeconds } from '../harness/soak.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { Random } from '../load/random.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('turn');
});

afterAll(async () => {
  await thaw.close();
});

test(
  'lanes and packs, whatever the keys, give what one archive after another gives',
  async () => {
    const seed = Number(process.env.THAW_SEED ?? Date.now() % 1_000_000_000);
    const end = Date.now() + soakSeconds * 1000;
    // Which strategies come is up to the seed; the rounds of load/rounds.pg.test.ts, without Temporal, are many.
    for (let round = 0; Date.now() < end; round++) await playRound(seed, round);
  },
  (soakSeconds + 140) * 1000,
);

/** What a restore leaves behind. */
interface Result {
  readonly outcome: Pick<RestoreOutcome, 'state' | 'tally'>;
  readonly table: readonly unknown[];
  /** By archive, in order. */
  readonly ledger: readonly unknown[];
}

async function playRound(seed: number, round: number): Promise<void> {
  const random = new Random(seed + round);
  const table = `round_${round}`;
  const conflictStrategy = conflictStrategies[(seed + round) % conflictStrategies.length] ?? 'skip';
  await thaw.pg.query(`create table ${table} (id int primary key, code int unique, note text)`);
  // More than 32, so that small ones share a pack.
  await archive(
    table,
    Array.from({ length: 33 + random.upTo(12) }, (_, batch) =>
      Array.from({ length: 1 + random.upTo(4) }, (_, row) => rowOf(random, `${batch}.${row}`)),
    ),
  );
  const old = Array.from({ length: random.upTo(20) }, () => rowOf(random, 'old'));
  const sequential = await restore(table, old, { conflictStrategy, lanes: 1, packBytes: 0 });
  const lanes = random.chance(0.5) ? 4 : 8;
  // An archive here has some 250 bytes.
  const packs = random.chance(0.5) ? { packBytes: 1200 } : { commitFrequency: 1 + random.upTo(6) };
  const concurrent = await restore(table, old, { conflictStrategy, lanes, ...packs });
  const setting = `THAW_SEED=${seed}, round ${round}: ${conflictStrategy}, ${lanes} lanes, ${JSON.stringify(packs)}`;
  expect(concurrent, setting).toEqual(sequential);
}

/** Keys that other rows have too, and now and then a code that another row has. */
function rowOf(random: Random, note: string): ArchivedRow {
  return {
    id: 1 + random.upTo(90),
    code: random.chance(0.85) ? null : random.upTo(60),
    note: random.chance(0.3) ? 'same' : note,
  };
}

async function archive(table: string, archives: readonly (readonly ArchivedRow[])[]): Promise<void> {
  await Promise.all(
    archives.map((rows, place) =>
      writeArchive(thaw.bucket.put, {
        database: thaw.database.name,
        table,
        archivedAt: new Date('2026-01-04T05:20:21Z'),
        batch: place + 1,
        rows,
        primaryKey: 'id',
        manifest: false,
      }),
    ),
  );
}

async function restore(
  table: string,
  old: readonly ArchivedRow[],
  options: Partial<RestoreOptions>,
): Promise<Result> {
  await thaw.pg.query(`truncate ${table}`);
  // As if it had never been restored.
  await thaw.pg.query(
    `do $$ begin if to_regclass('thaw.archives') is not null then truncate thaw.archives, thaw.targets; end if; end $$`,
  );
  await thaw.pg.query(
    `insert into ${table} select * from json_populate_recordset(null::${table}, $1) on conflict do nothing`,
    [JSON.stringify(old)],
  );
  const { state, tally } = await thaw.restore([table], options);
  const rows = await thaw.pg.query(`select * from ${table} order by id`);
  const ledger = await thaw.pg.query(
    `select key, state, rows, inserted, updated, skipped, rejected, error_code from thaw.archives order by key`,
  );
  return { outcome: { state, tally }, table: rows.rows, ledger: ledger.rows };
}
