import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { checkReplaceable } from '../../src/dump/swap/check-target.ts';
import { createBeside, discardBeside } from '../../src/dump/swap/create-beside.ts';
import { parseRecord } from '../../src/dump/swap/database-record.ts';
import { exchange } from '../../src/dump/swap/exchange.ts';
import { dropOld, listOld } from '../../src/dump/swap/old-databases.ts';
import { type SwapOrder, swap, swapBack } from '../../src/dump/swap/swap.ts';
import { undoSwap } from '../../src/dump/swap/undo-swap.ts';
import { disconnect } from '../../src/postgres/connection.ts';
import { dumpSessionPrefix, withDatabaseLock } from '../../src/postgres/database-lock.ts';
import { readDatabase } from '../../src/postgres/databases.ts';
import { quoteIdentifier as q } from '../../src/postgres/identifier.ts';
import { databaseError } from '../../src/postgres/sqlstate.ts';
import { TestDatabases } from './databases.ts';

let server: TestDatabases;
/** Superuser, in the maintenance database. */
let root: pg.Client;
/** No superuser, may make databases. */
let owner: string;
let client: pg.Client;

/** For tests that have no objects to carry over, or have done it. */
const nothingCarried = { carry: async () => [] };

beforeAll(async () => {
  server = new TestDatabases();
  root = await server.open();
  owner = await server.role('owner', 'createdb');
  client = await server.open('postgres', owner, `${dumpSessionPrefix(`own-${server.mark}`)}1`);
});

afterAll(() => server.close());

/** A live database that tells `old`, of that name; the order to replace it, with a fresh one that tells `new`. */
async function prepare(name: string, restoreId: string, by = client): Promise<SwapOrder> {
  await server.admin(`create database ${q(name)} owner ${q(owner)}`);
  await tell(name, 'old');
  const live = await readDatabase(root, name);
  const fresh = await createBeside(by, { database: name, restoreId }, null);
  await tell(fresh, 'new');
  return { database: name, restoreId, fresh, liveOid: live?.oid ?? null, owner: null, keepOldSeconds: 3600 };
}

async function tell(database: string, word: string): Promise<void> {
  await server.admin(
    `create table told as select '${word}'::text as word; grant select on told to public`,
    database,
    owner,
  );
}

async function told(database: string, user?: string): Promise<unknown> {
  const [row] = await server.admin('select word from told', database, user);
  return row?.word;
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => (error instanceof ThawError ? error : expect.fail(String(error))),
  );

test('an owner without other rights has the database replaced, kept, brought back and dropped', async () => {
  const name = `Zoo "quoted" ${server.mark} ${'é'.repeat(20)}`;
  const long = name.slice(0, name.length - Math.ceil((Buffer.byteLength(name) - 63) / 2));
  expect(Buffer.byteLength(long)).toBeGreaterThanOrEqual(62);
  const order = await prepare(long, `first-${server.mark}`);
  await client.query(`comment on database ${q(long)} is 'the one and only'`);

  // nobody else gets in before it is live
  const stranger = await server.role('stranger');
  expect((await failure(server.open(order.fresh, stranger))).code).toBe('PermissionDenied');

  const { old, dropAt } = await swap(client, order, nothingCarried);
  expect([await told(long, stranger), await told(old ?? '')]).toEqual(['new', 'old']);
  expect((await readDatabase(root, long))?.comment).toBe('the one and only');
  const [kept] = await listOld(client);
  expect(kept).toMatchObject({ name: old, oid: order.liveOid });
  expect(kept?.record).toMatchObject({
    restore: order.restoreId,
    live: long,
    comment: 'the one and only',
    dropAt,
  });
  // an attempt whose answer was lost
  expect(await swap(client, order, nothingCarried)).toEqual({ old, dropAt, notices: [] });
  expect(await dropOld(client, old ?? '', order.restoreId)).toBe('kept');

  const back = { database: long, restoreId: `back-${server.mark}`, keepOldSeconds: 0 };
  const swapped = await swapBack(client, back);
  expect([await told(long), await told(swapped.old ?? '')]).toEqual(['old', 'new']);
  expect(swapped.from).toBe(old);
  expect((await readDatabase(root, long))?.comment).toBe('the one and only');
  expect(await swapBack(client, back)).toEqual(swapped);
  expect(await dropOld(client, old ?? '', order.restoreId)).toBe('gone');
  expect(await dropOld(client, long, order.restoreId)).toBe('kept');
  // a superuser looks at it, and is waited for
  const reporter = await server.open(swapped.old ?? '', undefined, 'reporter');
  const busy = await failure(dropOld(client, swapped.old ?? '', order.restoreId));
  expect(busy.code).toBe('LockTimeout');
  expect(busy.message).toContain('may not end the sessions of');
  expect(busy.message).toContain('(reporter)');
  await disconnect(reporter);
  // so is another restore, and the drop workflow would not come again to what is no matter of time
  await withDatabaseLock(root, { database: long, restoreId: 'other' }, async () => {
    const held = await failure(dropOld(client, swapped.old ?? '', order.restoreId));
    expect(held).toMatchObject({
      code: 'LockTimeout',
      message: expect.stringContaining('is being replaced by'),
    });
  });
  // somebody else looks at it, and is sent away
  const looking = await server.open(swapped.old ?? '', owner);
  expect(await dropOld(client, swapped.old ?? '', order.restoreId)).toBe('dropped');
  await expect(looking.query('select 1')).rejects.toThrow();
  expect(await told(long)).toBe('old');
});

test('a swap is undone for a system, unless another one came after it', async () => {
  const name = server.name('undone');
  const order = await prepare(name, `undone-${server.mark}`);
  await swap(client, order, nothingCarried);
  const replaced = await undoSwap(client, order);
  expect([await told(name), await told(replaced ?? '')]).toEqual(['old', 'new']);
  expect((await readDatabase(root, name))?.oid).toBe(order.liveOid);
  // an attempt whose answer was lost
  expect(await undoSwap(client, order)).toBe(replaced);
  expect(await dropOld(client, replaced ?? '', order.restoreId)).toBe('dropped');
  expect((await server.databases()).filter((each) => each.startsWith('undone'))).toEqual([name]);

  const fresh = await createBeside(client, { database: name, restoreId: order.restoreId }, null);
  await swap(client, { ...order, fresh }, nothingCarried);
  const another = { database: name, restoreId: `later-${server.mark}`, keepOldSeconds: 3600 };
  await swapBack(client, another);
  expect(await failure(undoSwap(client, order))).toMatchObject({
    code: 'TargetBusy',
    message: `${name} was swapped by ${another.restoreId} meanwhile.`,
  });
  expect(await told(name)).toBe('old');
});

test('where there was no database, the new one takes the name', async () => {
  const database = server.name('made');
  const restoreId = `made-${server.mark}`;
  const fresh = await createBeside(client, { database, restoreId }, null);
  await tell(fresh, 'new');
  const order = { database, restoreId, fresh, liveOid: null, owner: null, keepOldSeconds: 0 };
  expect(await swap(client, order, nothingCarried)).toEqual({ old: null, dropAt: null, notices: [] });
  expect(await swap(client, order, nothingCarried)).toEqual({ old: null, dropAt: null, notices: [] });
  expect(await told(database, owner)).toBe('new');
});

test('clients that keep reconnecting find the old one or the new one, and never something between', async () => {
  const order = await prepare(server.name('busy'), `busy-${server.mark}`);
  const seen: unknown[] = [];
  const refused: string[] = [];
  let over = false;
  const visit = async () => {
    while (!over) {
      try {
        seen.push(await told(order.database, owner));
      } catch (error) {
        refused.push(refusal(error));
      }
    }
  };
  const visitors = Array.from({ length: 4 }, visit);
  // one that is in the middle of a transaction when it happens
  const writer = await server.open(order.database, owner);
  await writer.query(`begin; update told set word = 'never'`);
  await expect.poll(() => seen.length).toBeGreaterThan(10);
  const { old } = await swap(client, order, nothingCarried);
  const before = seen.length;
  await expect.poll(() => seen.length).toBeGreaterThan(before + 20);
  over = true;
  await Promise.all(visitors);
  expect(new Set(seen)).toEqual(new Set(['old', 'new']));
  expect(seen.lastIndexOf('old')).toBeLessThan(seen.lastIndexOf('new'));
  // refused while closed, ended in the middle, renamed while it came in; nothing else
  const expected = ['55000', '57P01', '3D000', 'DatabaseUnavailable'];
  expect(refused.filter((code) => !expected.includes(code))).toEqual([]);
  expect(await told(old ?? '')).toBe('old');
});

function refusal(error: unknown): string {
  const { sqlstate, code } = databaseError(error, { object: 'the live database' });
  return sqlstate ?? code;
}

/** The middle of a swap, with something else to do before the renames. */
async function exchangeWith(by: pg.Client, order: SwapOrder, prepare: () => Promise<string[]>) {
  const leaving = await readDatabase(root, order.database);
  const coming = await readDatabase(root, order.fresh);
  const record = parseRecord(coming?.comment ?? null);
  if (leaving === null || coming === null || record === null) expect.fail('they were not made');
  const { database: name, restoreId, keepOldSeconds } = order;
  return exchange(by, { name, leaving, coming, record, restoreId, keepOldSeconds, prepare, comment: null });
}

test('what fails between closing and renaming leaves both databases open under their names', async () => {
  const order = await prepare(server.name('failing'), `failing-${server.mark}`);
  const live = await readDatabase(root, order.database);
  const fresh = await readDatabase(root, order.fresh);
  const failing = exchangeWith(client, order, () => Promise.reject(new Error('the disk is on fire')));
  await expect(failing).rejects.toThrow('the disk is on fire');
  expect([await told(order.database, owner), await told(order.fresh, owner)]).toEqual(['old', 'new']);
  expect(await readDatabase(root, order.database)).toEqual(live);
  expect(await readDatabase(root, order.fresh)).toEqual(fresh);
});

test.each(['swapped', 'discarded'])(
  'one that is killed after closing is repaired when it is %s',
  async (then) => {
    const order = await prepare(server.name(`killed ${then}`), `${then}-${server.mark}`);
    const live = await readDatabase(root, order.database);
    const victim = await server.open('postgres', owner, `${dumpSessionPrefix(order.restoreId)}1`);
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    const killed = exchangeWith(victim, order, async () => {
      await root.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await victim.query('select 1');
      return [];
    });
    await expect(killed).rejects.toThrow();
    expect((await readDatabase(root, order.database))?.allowsConnections).toBe(false);
    const next = await server.open('postgres', owner, `${dumpSessionPrefix(order.restoreId)}2`);
    if (then === 'swapped') {
      // it is open again by the time that its objects are read
      const carry = async (live: string | null) => [`it tells ${await told(live ?? '')}`];
      const { old, notices } = await swap(next, order, { carry });
      expect(notices).toEqual(['it tells old']);
      expect([await told(order.database), await told(old ?? '')]).toEqual(['new', 'old']);
    } else {
      await discardBeside(next, order);
      expect(await readDatabase(root, order.fresh)).toBeNull();
      expect(await readDatabase(root, order.database)).toEqual(live);
    }
  },
);

test('a live database that is another by then stays', async () => {
  const order = await prepare(server.name('another'), `another-${server.mark}`);
  expect((await failure(swap(client, { ...order, liveOid: 1 }, nothingCarried))).code).toBe('TargetBusy');
  expect(await told(order.database)).toBe('old');
});

test('a database beside that is of somebody else is neither used nor dropped', async () => {
  const order = await prepare(server.name('theirs'), `theirs-${server.mark}`);
  await root.query(`comment on database ${q(order.fresh)} is 'mine'`);
  expect((await failure(createBeside(client, order, null))).message).toContain('is there already');
  expect((await failure(swap(client, order, nothingCarried))).code).toBe('TargetMissing');
  expect(await told(order.fresh)).toBe('new');
});

test('what it is made with is that of the live one', async () => {
  const database = server.name('latin');
  const locale = `encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`;
  await root.query(`create database ${q(database)} owner ${q(owner)} ${locale}`);
  const restoreId = `latin-${server.mark}`;
  const fresh = await createBeside(root, { database, restoreId }, null);
  const alike = { owner, encoding: 'LATIN1', collate: 'C', ctype: 'C', provider: 'c', tablespace: null };
  expect(await readDatabase(root, fresh)).toMatchObject(alike);
  const other = await server.role('other');
  await createBeside(root, { database, restoreId }, other);
  expect(await readDatabase(root, fresh)).toMatchObject({ ...alike, owner: other });

  // also where that one was dropped to make room
  await root.query(
    `comment on database ${q(database)} is 'the former'; revoke connect on database ${q(database)} from public`,
  );
  await createBeside(root, { database, restoreId }, null);
  await root.query(`drop database ${q(database)}`);
  await createBeside(root, { database, restoreId }, null);
  await swap(
    root,
    { database, restoreId, fresh, liveOid: null, owner: null, keepOldSeconds: 0 },
    nothingCarried,
  );
  expect(await readDatabase(root, database)).toMatchObject({ ...alike, comment: 'the former' });
  expect((await failure(server.open(database, other))).code).toBe('PermissionDenied');
});

test('a locale of ICU goes over, where the server has ICU', async (context) => {
  const [icu] = await server.admin(`select 1 from pg_collation where collprovider = 'i' limit 1`);
  if (icu === undefined) return context.skip('this server was built without ICU');
  const database = server.name('icu');
  await root.query(
    `create database ${q(database)} template template0 encoding 'UTF8' locale_provider icu icu_locale 'und-u-ks-level2'`,
  );
  const fresh = await createBeside(root, { database, restoreId: `icu-${server.mark}` }, null);
  expect(await readDatabase(root, fresh)).toMatchObject({ provider: 'i', locale: 'und-u-ks-level2' });
});

test('everything in the way is told by name before anything is touched', async () => {
  const database = server.name('tied');
  await root.query(`create database ${q(database)}`);
  const nobody = await server.role('nobody');
  const theirs = await server.open('postgres', nobody);
  const check = (by: pg.Client, order: { database?: string; create?: boolean; owner?: string | null }) =>
    failure(checkReplaceable(by, { database, create: false, owner: null, ...order }));

  const session = await server.open(database, undefined, 'a "reporter"');
  const poor = await check(theirs, { owner });
  expect(poor.code).toBe('PermissionDenied');
  expect(poor.message).toContain(`${nobody} may not make databases`);
  expect(poor.message).toContain(`may not act for role ${owner}`);
  expect(poor.message).toContain('belongs to');
  expect(poor.message).toContain('(a "reporter")');
  expect(poor.hint).toContain(`alter role ${q(nobody)} createdb`);
  expect(poor.hint).toContain(`grant ${q(owner)} to ${q(nobody)}`);
  expect(poor.hint).toContain('pg_signal_backend');
  await disconnect(session);

  await server.admin(
    `create subscription "sub 1" connection 'dbname=nowhere' publication p with (connect = false)`,
    database,
  );
  await root.query(`alter database ${q(database)} is_template true`);
  const tied = await check(root, { owner: 'no such role' });
  expect(tied.message).toContain('is a template');
  expect(tied.message).toContain('subscription sub 1');
  expect(tied.message).toContain('There is no role no such role');
  expect(tied.hint).toContain('is_template false');
  await server.admin(
    `alter subscription "sub 1" set (slot_name = none); drop subscription "sub 1"`,
    database,
  );
  await root.query(`alter database ${q(database)} is_template false allow_connections false`);
  expect((await check(root, {})).hint).toContain('allow_connections true');
  await root.query(`alter database ${q(database)} allow_connections true`);
  await checkReplaceable(root, { database, create: false, owner });

  expect((await check(root, { database: 'postgres' })).message).toContain('others are made from');
  expect((await check(root, { database: 'é'.repeat(32) })).message).toContain('64 bytes');
  expect((await check(root, { database: server.name('not there') })).code).toBe('TargetMissing');
});

test('two that replace the same database do not meet, and a dead attempt of the same restore is ended', async () => {
  const database = server.name('locked');
  const first = await server.open('postgres', owner, `${dumpSessionPrefix('one')}1`);
  const second = await server.open('postgres', owner, `${dumpSessionPrefix('two')}1`);
  const again = await server.open('postgres', owner, `${dumpSessionPrefix('one')}2`);
  const lock = (restoreId: string) => ({ database, restoreId });
  await withDatabaseLock(first, lock('one'), async (lost) => {
    const busy = await failure(withDatabaseLock(second, lock('two'), async () => {}));
    expect([busy.code, busy.message]).toEqual(['TargetBusy', expect.stringContaining('thaw/one/dump/1')]);
    await withDatabaseLock(first, lock('one'), async () => {});
    await withDatabaseLock(again, lock('one'), async () => {});
    await expect.poll(() => lost.aborted).toBe(true);
  });
  await withDatabaseLock(second, lock('two'), async () => {});
});
