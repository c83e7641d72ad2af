import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createLoadSite, gate, type LoadSite, type RunningLoad } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_turn');
});

afterAll(async () => {
  await site.close();
});

beforeEach(async () => {
  await site.pg.query('create table items (id int primary key, note text)');
});

afterEach(async () => {
  await site.pg.query('drop table items');
});

/** Well below the minute after which a load that waits for its turn gives up. */
const soon = 20_000;

test(
  'a load gives way to an earlier one that begins only while it waits for its turn',
  async () => {
    const restore = await site.restore('items');
    const earlier = await site.archive(1, [{ id: 1, note: 'first' }]);
    const later = await site.archive(2, [{ id: 1, note: 'second' }]);

    const second = restore.load([later], 1);
    await hasLooked(second);
    const first = restore.load([earlier], 0);

    expect((await first.outcome).tally.rows).toEqual(rows({ inserted: 1 }));
    expect((await second.outcome).tally.rows).toEqual(rows({ skipped: 1 }));
    expect(second.statements.some((statement) => statement.startsWith('create temp table'))).toBe(true);
    expect(first.statements.some((statement) => statement.startsWith('create temp table'))).toBe(false);
    expect(await items()).toEqual([{ id: 1, note: 'first' }]);
  },
  soon,
);

test(
  'a load gives way when an earlier one waits for one that waits for it',
  async () => {
    const restore = await site.restore('items', { conflictStrategy: 'overwrite' });
    const archives = [
      await site.archive(1, [{ id: 2, note: 'a' }]),
      await site.archive(2, [{ id: 1, note: 'b' }]),
      await site.archive(3, [
        { id: 2, note: 'c' },
        { id: 1, note: 'c' },
      ]),
    ];
    const [a, b, c] = archives.map((archive) => [archive]);

    const second = restore.load(b ?? [], 1);
    await hasLooked(second);
    const third = restore.load(c ?? [], 2);
    await waitsForLock(third);
    const first = restore.load(a ?? [], 0);

    expect((await first.outcome).tally.rows).toEqual(rows({ inserted: 1 }));
    expect((await second.outcome).tally.rows).toEqual(rows({ inserted: 1 }));
    expect((await third.outcome).tally.rows).toEqual(rows({ updated: 2 }));
    expect(await items()).toEqual([
      { id: 1, note: 'c' },
      { id: 2, note: 'c' },
    ]);
  },
  soon,
);

test(
  'two loads that deadlock in PostgreSQL end as if they had come one after the other',
  async () => {
    const restore = await site.restore('items', { conflictStrategy: 'overwrite' });
    // Other columns end the COPY of the first archive, so that its row is in the table before the third.
    const [first, second] = await Promise.all(
      [0, 1].map(async (place) => {
        const keys = place === 0 ? [1, 10, 2] : [2, 20, 1];
        return Promise.all(
          keys.map((id, index) =>
            site.archive(
              place * 3 + index + 1,
              index === 1 ? [{ id }] : [{ id, note: `load ${place}, archive ${index}` }],
            ),
          ),
        );
      }),
    );
    if (first === undefined || second === undefined) throw new Error('There are two loads');
    const crossing = gate();
    const gates = new Map([first, second].map((archives) => [archives[2]?.name ?? '', crossing.opened]));
    const loads = [restore.load(first, 0, { gates }), restore.load(second, 3, { gates })];
    for (const load of loads) {
      await vi.waitFor(() => expect(copies(load)).toBe(2), { timeout: 5000, interval: 5 });
    }
    crossing.open();

    const outcomes = await Promise.all(loads.map((load) => load.outcome));

    expect(outcomes.map(({ tally }) => tally.rows)).toEqual([
      rows({ inserted: 3 }),
      rows({ inserted: 1, updated: 2 }),
    ]);
    expect(await items()).toEqual([
      { id: 1, note: 'load 1, archive 2' },
      { id: 2, note: 'load 1, archive 0' },
      { id: 10, note: null },
      { id: 20, note: null },
    ]);
    await vi.waitFor(async () => expect(await deadlocks()).toBe(1), { timeout: 5000 });
  },
  soon,
);

test('a row that refers to one of an earlier load is not refused for being copied before it', async () => {
  await site.pg.query(
    `alter table items add parent int, add constraint parent foreign key (parent) references items (id)`,
  );
  const restore = await site.restore('items');
  const parent = await site.archive(1, [{ id: 1, note: 'parent', parent: null }]);
  const child = await site.archive(2, [{ id: 2, note: 'child', parent: 1 }]);

  const released = gate();
  const first = restore.load([parent], 0, { gates: new Map([[parent.name, released.opened]]) });
  const second = restore.load([child], 1);
  await vi.waitFor(() => expect(second.statements).toContain('rollback'), { timeout: 5000, interval: 5 });
  released.open();

  expect((await first.outcome).tally.archives.restored).toBe(1);
  expect(await second.outcome).toMatchObject({ deferred: [], tally: { rows: rows({ inserted: 1 }) } });
});

test('a row whose parent comes later waits for it in a pack as it does alone', async () => {
  await site.pg.query(`alter table items add parent int references items (id)`);
  const archives = [
    await site.archive(1, [{ id: 2, note: 'child', parent: 1 }]),
    await site.archive(2, [{ id: 1, note: 'parent', parent: null }]),
    await site.archive(3, [{ id: 2, note: 'child again', parent: null }]),
  ];
  const restore = await site.restore('items');

  const pack = await restore.load(archives.slice(0, 2), 0).outcome;
  await restore.load(archives.slice(2), 2).outcome;

  // Restored after the archives that follow it: of equal keys it is then not the first.
  expect(pack.deferred).toMatchObject([{ index: 0 }]);
  const tried = await restore.load(archives.slice(0, 1), 3).outcome;
  expect(tried.tally.rows).toEqual(rows({ skipped: 1 }));
  expect(await items()).toMatchObject([
    { id: 1, note: 'parent' },
    { id: 2, note: 'child again' },
  ]);
});

/** Until it has asked, at its turn, whom its rows block. */
async function hasLooked(load: RunningLoad): Promise<void> {
  const looked = () => load.statements.some((statement) => statement.includes('pg_blocking_pids'));
  await vi.waitFor(() => expect(looked()).toBe(true), { timeout: 5000, interval: 5 });
}

async function waitsForLock(load: RunningLoad): Promise<void> {
  await vi.waitFor(
    async () => {
      const { rows } = await site.pg.query(
        `select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`,
        [load.applicationName],
      );
      expect(rows).toHaveLength(1);
    },
    { timeout: 5000, interval: 5 },
  );
}

function copies(load: RunningLoad): number {
  return load.statements.filter((statement) => statement.startsWith('copy ')).length;
}

async function deadlocks(): Promise<number> {
  const { rows } = await site.pg.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  );
  return rows[0]?.deadlocks ?? 0;
}

async function items(): Promise<unknown[]> {
  const { rows } = await site.pg.query('select * from items order by id');
  return rows;
}

function rows(some: Partial<Record<'inserted' | 'updated' | 'skipped' | 'failed', number>>) {
  return { inserted: 0, updated: 0, skipped: 0, failed: 0, ...some };
}
