import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ArchiveRef } from '../../src/contract/activities.ts';
import { type ConflictStrategy, conflictStrategies } from '../../src/contract/restore-request.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { formLoads, type Load } from '../../src/restore/packs.ts';
import type { ArchivedRow } from '../harness/archive-writer.ts';
import { soakSeconds } from '../harness/soak.ts';
import { createLoadSite, type LoadSite, type SiteRestore } from './load-site.ts';
import { Random } from './random.ts';

/** On a busy machine they go on for longer, until there were so many; each is a few restores of the same archives. */
const leastRounds = 4;

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_rounds');
});

afterAll(async () => {
  await site.close();
});

test(
  'lanes and packs, whatever the keys, give what one archive after another gives',
  async () => {
    const seed = Number(process.env.THAW_SEED ?? Date.now() % 1_000_000_000);
    const end = Date.now() + soakSeconds * 1000;
    for (let round = 0; round < leastRounds || Date.now() < end; round++) await playRound(seed + round);
  },
  (soakSeconds + 280) * 1000,
);

/** What a restore leaves behind. */
interface Result {
  readonly table: readonly unknown[];
  /** By archive, in order. */
  readonly ledger: readonly unknown[];
}

async function playRound(seed: number): Promise<void> {
  const random = new Random(seed);
  const strategy = random.pick(conflictStrategies);
  const isTree = random.chance(0.3);
  // Only these do without an immediate key to find rows by; nor can a foreign key refer to another.
  const isLate = !isTree && (strategy === 'skip' || strategy === 'fail') && random.chance(0.3);
  const old = Array.from({ length: random.upTo(12) }, () => rowOf(random, 'old', false));
  const archives = await Promise.all(
    Array.from({ length: 6 + random.upTo(20) }, (_, batch) =>
      site.archive(
        batch + 1,
        Array.from({ length: 1 + random.upTo(5) }, (_, row) => rowOf(random, `${batch}.${row}`, isTree)),
      ),
    ),
  );
  await site.pg.query(`
    drop table if exists items;
    create table items (id int primary key ${isLate ? 'deferrable initially deferred' : ''}, code int unique, note text, parent int
      ${isTree ? 'references items (id)' : ''})`);
  const sequential = await restore(strategy, archives, old, 1, 1);
  for (const lanes of [1, 4, 8]) {
    const packed = 1 + random.upTo(5);
    const concurrent = await restore(strategy, archives, old, lanes, packed);
    const setting = `THAW_SEED=${seed}: ${strategy}, ${lanes} lanes, packs of ${packed}, ${isTree ? 'tree' : isLate ? 'late key' : 'plain'}`;
    expect(concurrent, setting).toEqual(sequential);
  }
}

/** Keys that other rows have too, now and then a code that another row has, and parents that are or are not there. */
function rowOf(random: Random, note: string, isTree: boolean): ArchivedRow {
  return {
    id: 1 + random.upTo(40),
    code: random.chance(0.8) ? null : random.upTo(40),
    note: random.chance(0.3) ? 'same' : note,
    parent: isTree && random.chance(0.2) ? 1 + random.upTo(40) : null,
  };
}

async function restore(
  strategy: ConflictStrategy,
  archives: readonly ArchiveRef[],
  old: readonly ArchivedRow[],
  lanes: number,
  packed: number,
): Promise<Result> {
  await site.pg.query('truncate items, thaw.targets, thaw.archives');
  await site.pg.query(
    `insert into items
     select distinct on (coalesce(code, -id)) * from (
       select distinct on (id) * from json_populate_recordset(null::items, $1)) as keyed`,
    [JSON.stringify(old)],
  );
  const run = await site.restore('items', { conflictStrategy: strategy });
  const rule = { packBytes: 0, commitFrequency: packed };
  let next = archives.length;
  let deferred = await loadAll(run, formLoads(archives, 0, rule), lanes);
  for (let before = Number.POSITIVE_INFINITY; deferred.length > 0 && deferred.length < before; ) {
    before = deferred.length;
    const alone = formLoads(deferred, next, { packBytes: 0, commitFrequency: null });
    next += deferred.length;
    deferred = await loadAll(run, alone, lanes);
  }
  const table = await site.pg.query('select * from items order by id');
  const ledger = await site.pg.query(
    `select key, state, rows, inserted, updated, skipped, rejected, error_code, deferred
     from thaw.archives order by key`,
  );
  return { table: table.rows, ledger: ledger.rows };
}

/** Starts loads in order, so many at a time. @returns the archives that a later try may restore, in order */
async function loadAll(run: SiteRestore, loads: readonly Load[], lanes: number): Promise<ArchiveRef[]> {
  const deferred: ArchiveRef[][] = loads.map(() => []);
  let next = 0;
  const lane = async () => {
    for (let place = next++; place < loads.length; place = next++) {
      const load = loads[place];
      if (load !== undefined) deferred[place] = await loadUntilDone(run, load);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return deferred.flat();
}

/** Tries again what the moment made fail, as Temporal does. */
async function loadUntilDone(run: SiteRestore, load: Load): Promise<ArchiveRef[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const outcome = await run.load(load.archives, load.firstOrdinal, { attempt }).outcome;
      return outcome.deferred.flatMap(({ index }) => load.archives[index] ?? []);
    } catch (error) {
      if (!(error instanceof ThawError && error.retryable) || attempt > 5) throw error;
    }
  }
}
