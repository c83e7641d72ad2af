import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import { connect, disconnect } from '../../src/postgres/connection.ts';
import { readLeftRows, readUndoTables } from '../../src/postgres/undo-rows.ts';
import { undoTable } from '../../src/undo/undo-table.ts';
import type { ArchivedRow } from '../harness/archive-writer.ts';
import { createLoadSite, type LoadSite } from '../load/load-site.ts';

let site: LoadSite;
let batch = 0;

beforeAll(async () => {
  site = await createLoadSite('undo');
});

afterAll(async () => {
  await site.close();
});

async function rows(table: string): Promise<readonly string[]> {
  const { rows: found } = await site.pg.query<{ row: string }>(
    `select t::text as row from ${table} t order by 1`,
  );
  return found.map(({ row }) => row);
}

/** Restores archives with `--undoable`. @returns id of the restore */
async function restored(
  table: string,
  archives: readonly (readonly ArchivedRow[])[],
  options: Partial<RestoreOptions> = {},
  restoreId?: string,
): Promise<string> {
  const restore = await site.restore(
    table,
    { conflictStrategy: 'overwrite', undoable: true, ...options },
    restoreId,
  );
  const refs = [];
  for (const records of archives) {
    batch += 1;
    refs.push(await site.archive(batch, records));
  }
  const outcome = await restore.load(refs, 0).outcome;
  expect(outcome.failures).toEqual([]);
  expect(outcome.tally.archives.restored).toBe(archives.length);
  return restore.restoreId;
}

interface UndoHow {
  readonly client?: LoadSite['pg'];
  readonly onProgress?: () => Promise<void>;
  readonly triggersDisabled?: boolean;
}

/** Once through the tables of a restore. */
async function undo(restoreId: string, how: UndoHow = {}): Promise<number> {
  const { client = site.pg, triggersDisabled = false, ...rest } = how;
  const { signal } = new AbortController();
  let undone = 0;
  for (const kept of await readUndoTables(client, restoreId)) {
    const target = { ...(await readTarget(client, kept.schema, kept.table)), triggersDisabled };
    undone += await undoTable(client, { restoreId, target, kept, signal, ...rest });
  }
  return undone;
}

async function left(restoreId: string) {
  const [table] = await readUndoTables(site.pg, restoreId);
  return readLeftRows(site.pg, restoreId, table?.oid ?? 0, 10);
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, place) => from + place);

test.each(['overwrite', 'skip', 'fail'] as const)(
  'a restore with %s is undone to the last bit',
  async (conflictStrategy) => {
    const table = `exact_${conflictStrategy}`;
    const isThere = conflictStrategy === 'fail' ? 1000 : 0;
    await site.pg.query(
      `create table ${table} (
       id bigint generated always as identity primary key, amount numeric, span interval, bounds int[],
       doc json, code char(4), doubled numeric generated always as (amount * 2) stored);
     insert into ${table} (id, amount, span, bounds, doc, code) overriding system value values
       (${isThere + 1}, 1.00, '1 mon -30 days', '[0:1]={1,2}', '{"a" : 1, "a":2}', 'x'),
       (${isThere + 2}, null, '24:00:00', '{}', null, '')`,
    );
    const before = await rows(table);
    const records = (amount: string) =>
      numbers(1, 300).map((id) => ({ id, amount, code: 'y', span: '1 day', bounds: [3] }));
    const second = conflictStrategy === 'fail' ? [{ id: 900, amount: '2' }] : records('2.0');
    const restoreId = await restored(table, [records('1.0'), second], { conflictStrategy, batchSize: 120 });
    expect(await rows(table)).not.toEqual(before);

    expect(await undo(restoreId)).toBe(
      conflictStrategy === 'overwrite' ? 300 : conflictStrategy === 'skip' ? 298 : 301,
    );

    expect(await rows(table)).toEqual(before);
    expect(await undo(restoreId)).toBe(0);
    expect(await rows(table)).toEqual(before);
  },
);

test('rows are found by a key that is checked late, and in partitions', async () => {
  await site.pg.query(
    `create table late (id int primary key deferrable, note text);
     create table parts (id int primary key, note text) partition by range (id);
     create table parts_low partition of parts for values from (0) to (5);
     create table parts_high partition of parts for values from (5) to (100);
     insert into late values (1, 'mine'), (3, 'mine'); insert into parts values (1, 'mine'), (7, 'mine')`,
  );
  for (const table of ['late', 'parts']) {
    const before = await rows(table);
    const restoreId = await restored(table, [numbers(1, 9).map((id) => ({ id, note: 'archived' }))]);
    expect(await rows(table)).toHaveLength(9);
    expect(await undo(restoreId)).toBe(9);
    expect(await rows(table)).toEqual(before);
  }
});

test('rows changed since are left and told, also those that others refer to', async () => {
  await site.pg.query(
    `create table parents (id int primary key, note text, boss int references parents);
     create table children (id int primary key, parent int references parents on delete cascade);
     insert into parents values (1, 'one'), (2, 'two'), (3, 'three')`,
  );
  const restoreId = await restored('parents', [
    numbers(1, 8).map((id) => ({ id, note: 'archived', boss: id === 8 ? 7 : null })),
  ]);
  await site.pg.query(
    `update parents set note = 'later' where id in (2, 5);
     delete from parents where id in (3, 6);
     insert into children values (1, 4)`,
  );

  // 1 comes back, 6 is gone, 8 goes; 7 goes only when 8 has gone.
  expect(await undo(restoreId)).toBe(3);
  expect(await undo(restoreId)).toBe(1);
  expect(await undo(restoreId)).toBe(0);

  expect(await rows('parents')).toEqual(['(1,one,)', '(2,later,)', '(4,archived,)', '(5,later,)']);
  expect(await rows('children')).toEqual(['(1,4)']);
  expect(await left(restoreId)).toEqual([
    { why: 'changed', rows: 2, keys: [['2'], ['5']] },
    { why: 'deleted', rows: 1, keys: [['3']] },
    { why: 'referenced', rows: 1, keys: [['4']] },
  ]);
  const [counts] = await readUndoTables(site.pg, restoreId);
  expect(counts).toMatchObject({ deleted: 2, broughtBack: 1, gone: 1 });
});

test('what others changed between two archives comes back, and what PostgreSQL refuses is left by itself', async () => {
  await site.pg.query(
    `create table twice (id int primary key, note text, code text unique);
     insert into twice values (1, 'first', 'a'), (2, 'first', 'b')`,
  );
  const restoreId = await restored(
    'twice',
    [numbers(1, 2).map((id) => ({ id, note: 'archived', code: `c${id}` }))],
    {},
    'twice',
  );
  await site.pg.query(`update twice set note = 'between' where id = 1`);
  await restored('twice', [[{ id: 1, note: 'again', code: 'c1' }]], {}, 'twice');
  await site.pg.query(`insert into twice values (9, 'other', 'b')`);

  expect(await undo(restoreId)).toBe(1);

  expect(await rows('twice')).toEqual(['(1,between,c1)', '(2,archived,c2)', '(9,other,b)']);
  expect(await left(restoreId)).toEqual([{ why: 'SQLSTATE 23505', rows: 1, keys: [['2']] }]);
  await site.pg.query('delete from twice where id = 9');
  expect(await undo(restoreId)).toBe(1);
  expect(await rows('twice')).toEqual(['(1,between,c1)', '(2,first,b)']);
});

test('triggers fire, and keep a row from coming back as another one, unless they are disabled', async () => {
  await site.pg.query(
    `create table stamped (id int primary key, note text, touched int default 0);
     insert into stamped values (1, 'mine', 5);
     create function touch() returns trigger language plpgsql as $$
       begin new.touched := old.touched + 1; return new; end $$;
     create trigger touch before update on stamped for each row execute function touch()`,
  );
  const restoreId = await restored('stamped', [
    [
      { id: 1, note: 'archived' },
      { id: 2, note: 'archived' },
    ],
  ]);
  expect(await rows('stamped')).toEqual(['(1,archived,6)', '(2,archived,0)']);

  expect(await undo(restoreId)).toBe(1);
  expect(await rows('stamped')).toEqual(['(1,archived,6)']);
  expect(await left(restoreId)).toMatchObject([{ why: 'a trigger changes it', keys: [['1']] }]);
  expect(await undo(restoreId, { triggersDisabled: true })).toBe(1);
  expect(await rows('stamped')).toEqual(['(1,mine,5)']);
});

test('an undo that is killed goes on where it was', async () => {
  await site.pg.query(
    `create table killed (id int primary key, note text);
     insert into killed select id, 'mine ' || id from generate_series(1, 3000) id`,
  );
  const before = await rows('killed');
  const restoreId = await restored('killed', [numbers(1, 7000).map((id) => ({ id, note: 'archived' }))]);
  const [client, locker] = [await session(), await session()];
  let transactions = 0;
  let killed = Promise.resolve();
  const broken = undo(restoreId, {
    client,
    onProgress: async () => {
      transactions += 1;
      if (transactions > 1) return;
      // The next transaction has changed its rows when it waits for this one.
      await locker.query('begin; lock table thaw.undo_tables in exclusive mode');
      killed = killOnceItWaits('undo-killed');
    },
  });
  await expect(broken).rejects.toThrow();
  await killed;
  await disconnect(locker);
  await disconnect(client);
  expect(transactions).toBe(1);
  expect(await rows('killed')).not.toEqual(before);

  expect(await undo(restoreId)).toBe(7000 - 2000);
  expect(await rows('killed')).toEqual(before);
});

/** Opens a connection beside that of the site. */
function session(): Promise<LoadSite['pg']> {
  const { host, port, database = '', user = '', password = '' } = site.pg;
  return connect({ host, port, database, user, password }, { applicationName: 'undo-killed' });
}

async function killOnceItWaits(name: string): Promise<void> {
  for (let found = 0; found === 0; ) {
    const { rowCount } = await site.pg.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = $1 and datname = current_database() and wait_event_type = 'Lock'`,
      [name],
    );
    found = rowCount ?? 0;
  }
}

test('a table whose rows could not be found again is refused, and one that was altered', async () => {
  await site.pg.query(
    'create table keyless (id int, note text); create table altered (id int primary key, note text)',
  );
  const restore = await site.restore('keyless', { undoable: true });
  batch += 1;
  const load = restore.load([await site.archive(batch, [{ id: 1, note: 'a' }])], 0);
  await expect(load.outcome).rejects.toMatchObject({ code: 'SchemaIncompatible' });
  expect(await rows('keyless')).toEqual([]);

  const restoreId = await restored('altered', [[{ id: 1, note: 'a' }]]);
  await site.pg.query(`alter table altered add later int; update altered set later = 7`);
  await expect(undo(restoreId)).rejects.toMatchObject({ code: 'SchemaIncompatible' });
  expect(await rows('altered')).toEqual(['(1,a,7)']);
});
