import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ArchiveRef } from '../../src/contract/activities.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { createLoadSite, gate, type LoadHow, type LoadSite, type RunningLoad } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_attempts');
});

afterAll(async () => {
  await site.close();
});

afterEach(async () => {
  await site.pg.query('drop table items');
});

describe.each([
  ['a table with a key', 'create table items (id int primary key, note text)'],
  ['a table without any key', 'create table items (id int, note text)'],
])('%s', (_, table) => {
  beforeEach(async () => {
    await site.pg.query(table);
  });

  test('taken by another restore before a load begins: it commits nothing', async () => {
    const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
    const former = await site.restore('items');
    await passOn();
    await site.restore('items');

    const load = former.load([archive], 0);

    const error = await errorOf(load);
    expect(error).toMatchObject({ code: 'TargetBusy', retryable: false });
    expect(load.statements).not.toContain('begin');
    expect(error.message).toContain(former.restoreId);
    await expectNothing(former.restoreId);
  });

  test.each<[string, (archive: ArchiveRef, opened: Promise<void>) => Partial<LoadHow>]>([
    ['while a load reads', (archive, opened) => ({ gates: new Map([[archive.name, opened]]) })],
    [
      'while a load copies',
      (_archive, opened) => ({
        after: async (statement) => {
          if (statement === 'set local lock_timeout = 0') await opened;
        },
      }),
    ],
  ])('taken %s, unseen by the taker: it commits nothing', async (_when, how) => {
    const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
    const former = await site.restore('items');
    const { opened, open } = gate();
    const load = former.load([archive], 0, how(archive, opened));
    await hasSent(load, 'insert into thaw.archives');
    // What a taker does that sees neither the lease nor the session, such as behind a pooler.
    await site.pg.query(`update thaw.targets set restore_id = 'other', epoch = epoch + 1`);
    open();

    expect((await errorOf(load)).code).toBe('TargetBusy');
    await expectNothing(former.restoreId);
  });

  test('taken again by its own restore: what an attempt of before does is void', async () => {
    const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
    const restore = await site.restore('items');
    const again = await site.restore('items', {}, restore.restoreId);
    expect(again.target.epoch).toBe(restore.target.epoch + 1);

    expect((await errorOf(restore.load([archive], 0))).code).toBe('TargetBusy');
    expect((await again.load([archive], 0).outcome).tally.archives.restored).toBe(1);
    expect(await count()).toBe(1);
  });

  test('a second attempt that waits while the first commits loads nothing twice', async () => {
    const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
    const restore = await site.restore('items');
    const { opened, open } = gate();
    const first = restore.load([archive], 0, { gates: new Map([[archive.name, opened]]) });
    await hasSent(first, 'insert into thaw.archives');
    const second = restore.load([archive], 0, { attempt: 2 });
    await waitsForLock(second);
    open();

    const outcome = await first.outcome;

    // Where order matters it is told that it came too late; what tries it again takes the outcome over.
    const late = await second.outcome.catch((error: unknown) => error);
    if (late instanceof ThawError) {
      expect(late).toMatchObject({ code: 'SerializationFailure', retryable: true });
      expect(await restore.load([archive], 0, { attempt: 3 }).outcome).toEqual(outcome);
    } else expect(late).toEqual(outcome);
    expect(outcome.tally.rows.inserted).toBe(1);
    expect(await count()).toBe(1);
  });

  test('an attempt that never learns of its commit is taken over', async () => {
    const archives = [
      await site.archive(1, [{ id: 1, note: 'a' }], { metadata: true }),
      await site.archive(2, [{ id: 2, note: 'b' }, { id: 3 }], { metadata: true, corrupt: 'jsonl-sha256' }),
      await site.archive(3, [{ id: 4, note: 'c' }], { metadata: true }),
      await site.archive(4, [{ id: 5, note: 'd' }], { metadata: true }),
    ];
    const restore = await site.restore('items');
    // The pack is split up for the damaged archive: the first attempt loses its first answer, the second its second.
    for (const attempt of [1, 2, 3]) {
      let seen = 0;
      const load = restore.load(archives, 0, {
        attempt,
        after: async (statement, client) => {
          if (statement !== 'commit') return;
          seen += 1;
          if (attempt < 3 && seen === attempt) await client.end();
        },
      });
      if (attempt < 3) {
        expect(await errorOf(load)).toMatchObject({ code: 'DatabaseUnavailable', retryable: true });
      } else {
        expect(await load.outcome).toMatchObject({
          tally: {
            archives: { restored: 3, earlier: 0, failed: 1 },
            rows: { inserted: 3, updated: 0, skipped: 0, failed: 2 },
            bytes: archives.reduce((sum, { bytes }) => sum + bytes, 0),
          },
          failures: [{ archive: expect.stringContaining('_batch_002'), code: 'ChecksumMismatch', rows: 2 }],
        });
      }
    }
    expect(await count()).toBe(3);
    const lost = restore.load(archives, 0, {
      attempt: 4,
      after: async (statement, client) => {
        if (statement.startsWith('select next_ordinal')) await client.end();
      },
    });
    expect(await errorOf(lost)).toMatchObject({ code: 'DatabaseUnavailable', retryable: true });
    // And once more, when all is decided.
    const again = await restore.load(archives, 0, { attempt: 5 }).outcome;
    expect(again.tally.archives).toEqual({ restored: 3, earlier: 0, failed: 1 });
    expect(again.failures).toHaveLength(1);
    expect(await count()).toBe(3);
  });

  test('a load that is told to stop rolls back and says why', async () => {
    const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
    const restore = await site.restore('items');
    const stopping = new AbortController();
    const load = restore.load([archive], 0, {
      gates: new Map([[archive.name, gate().opened]]),
      signal: stopping.signal,
    });
    await hasSent(load, 'insert into thaw.archives');
    const reason = new Error('paused');
    stopping.abort(reason);

    await expect(load.outcome).rejects.toBe(reason);
    await vi.waitFor(async () => expect(await sessions(load)).toBe(0), { timeout: 5000 });
    await expectNothing(restore.restoreId);
  });
});

test('a second attempt waits for the claim of the first, then ends its session', async () => {
  await site.pg.query('create table items (id int primary key, note text)');
  const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
  const restore = await site.restore('items');
  const { opened, open } = gate();
  const first = restore.load([archive], 0, { gates: new Map([[archive.name, opened]]) });
  await hasSent(first, 'insert into thaw.archives');
  const begun = Date.now();
  const second = restore.load([archive], 0, { attempt: 2 });
  await waitsForLock(second);

  const outcome = await second.outcome;

  expect(Date.now() - begun).toBeGreaterThan(14_000);
  expect(outcome.tally).toMatchObject({
    archives: { restored: 1, earlier: 0, failed: 0 },
    rows: { inserted: 1 },
  });
  open();
  expect(await errorOf(first)).toMatchObject({ code: 'DatabaseUnavailable', retryable: true });
  expect(await count()).toBe(1);
  expect(await ledger(restore.restoreId)).toMatchObject([{ attempt: 2, state: 'restored' }]);
}, 40_000);

describe('a table without any key', () => {
  test('needs no turn: a later load commits before an earlier one', async () => {
    await site.pg.query('create table items (id int, note text)');
    const archives = [await site.archive(1, [{ id: 1 }]), await site.archive(2, [{ id: 1 }])] as const;
    const restore = await site.restore('items');
    const { opened, open } = gate();
    const first = restore.load([archives[0]], 0, { gates: new Map([[archives[0].name, opened]]) });
    await hasSent(first, 'insert into thaw.archives');

    expect((await restore.load([archives[1]], 1).outcome).tally.rows.inserted).toBe(1);
    open();
    expect((await first.outcome).tally.rows.inserted).toBe(1);
    expect(await count()).toBe(2);
  });
});

/** Another restore may take the table: the one that holds it gives no sign of life. */
async function passOn(): Promise<void> {
  await site.pg.query(`update thaw.targets set lease_until = now() - interval '1 second'`);
}

async function errorOf(load: RunningLoad): Promise<ThawError> {
  const error = await load.outcome.then(
    () => null,
    (raised: unknown) => raised,
  );
  if (!(error instanceof ThawError)) throw new Error(`Not an error of the closed set: ${String(error)}`);
  return error;
}

async function hasSent(load: RunningLoad, part: string): Promise<void> {
  const sent = () => load.statements.some((statement) => statement.includes(part));
  await vi.waitFor(() => expect(sent()).toBe(true), { timeout: 5000, interval: 5 });
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

async function sessions(load: RunningLoad): Promise<number> {
  const { rows } = await site.pg.query('select from pg_stat_activity where application_name = $1', [
    load.applicationName,
  ]);
  return rows.length;
}

async function count(): Promise<number> {
  const { rows } = await site.pg.query<{ count: number }>('select count(*) from items');
  return rows[0]?.count ?? 0;
}

async function ledger(restoreId: string): Promise<unknown[]> {
  const { rows } = await site.pg.query(
    'select attempt, state from thaw.archives where restore_id = $1 order by ordinal',
    [restoreId],
  );
  return rows;
}

async function expectNothing(restoreId: string): Promise<void> {
  expect(await count()).toBe(0);
  expect(await ledger(restoreId)).toEqual([]);
}
