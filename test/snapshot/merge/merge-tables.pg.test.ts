import { Readable } from 'node:stream';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { StagedTable } from '../../../src/postgres/snapshot-differences.ts';
import { inTransaction } from '../../../src/postgres/transaction.ts';
import { differenceLine, headerLine } from '../../../src/snapshot/merge/difference-file.ts';
import { openMarked } from '../../../src/snapshot/merge/marked-differences.ts';
import { mergeTables } from '../../../src/snapshot/merge/merge-tables.ts';
import { diffTables, previewTables } from '../../../src/snapshot/merge/preview-tables.ts';
import { openSession, type Session } from '../../postgres/session.ts';
import { rowsOf, stagedTable } from './merge-site.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('snapshot_merge');
  client = session.client;
});
afterAll(() => session.close());
beforeEach(() =>
  client.query(
    'drop schema public cascade; create schema public; drop schema if exists stage cascade; create schema stage',
  ),
);

test('values swapped in a unique index come back, and columns that the snapshot lacks stay', async () => {
  await client.query(`
    create table places (
      id int primary key, seat text unique, note text, later text default 'new',
      number int generated always as identity, twice int generated always as (id * 2) stored
    );
    create table stage.places (id int, seat text, note text, number int);
    insert into stage.places values (1, 'a', 'x', 1), (2, 'b', null, 2), (3, 'c', 'same', 3), (5, 'e', 'gone', 9);
    insert into places (id, seat, note, later, number) overriding system value
      values (1, 'b', 'x', 'kept 1', 1), (2, 'a', null, 'kept 2', 7), (3, 'c', 'other', 'kept 3', 3), (4, 'e', '', '', 4)`);
  const tables = [await stagedTable(client, 'places')];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toEqual([
    { schema: 'public', table: 'places', inserted: 1, updated: 3, deleted: 1, unchanged: 0 },
  ]);
  expect(await rowsOf(client, 'places')).toEqual([
    '(1,a,x,"kept 1",1,2)',
    '(2,b,,"kept 2",2,4)',
    '(3,c,same,"kept 3",3,6)',
    '(5,e,gone,new,9,10)',
  ]);
});

test('only rows of the tenant change, whatever its value says', async () => {
  await client.query(`
    create table notes (tenant text, id int, note text, primary key (tenant, id));
    create table stage.notes (like notes);
    insert into notes values ('a', 1, 'old'), ('a', 2, 'old'), ('b', 1, 'b'), ($$' or true --$$, 1, 'h');
    insert into stage.notes values ('a', 1, 'new')`);
  const merge = async (value: string) => {
    const tables = [await stagedTable(client, 'notes', { tenant: { column: 'tenant', value } })];
    return inTransaction(client, () => mergeTables(client, tables));
  };
  await expect(merge("' or true --")).rejects.toMatchObject({ code: 'ConflictFound' });
  expect(await merge('a')).toEqual([
    { schema: 'public', table: 'notes', inserted: 0, updated: 1, deleted: 1, unchanged: 0 },
  ]);
  await client.query('truncate stage.notes');
  expect(await merge("' or true --")).toEqual([
    { schema: 'public', table: 'notes', inserted: 0, updated: 0, deleted: 1, unchanged: 0 },
  ]);
  expect(await rowsOf(client, 'notes')).toEqual(['(a,1,new)', '(b,1,b)']);
});

test.each([
  ['varchar(3)', 'abc', 'abcd'],
  ['cut', 'abc', 'abcd'],
  ['name', 'n'.repeat(63), 'n'.repeat(64)],
  ['"char"', 'a', 'abcd'],
])('a value that is too long for a column of type %s is no tenant', async (type, there, value) => {
  await client.query(`
    create domain cut as varchar(3);
    create table notes (id int primary key, tenant ${type});
    create table stage.notes (like notes);
    insert into notes values (1, '${there}')`);
  const tables = [await stagedTable(client, 'notes', { tenant: { column: 'tenant', value } })];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toMatchObject([{ deleted: 0 }]);
  expect(await rowsOf(client, 'notes')).toEqual([`(1,${there})`]);
});

test('a row of another tenant that has the key is left as it is, and fails the whole', async () => {
  await client.query(`
    create table notes (id int primary key, tenant text, note text);
    create table stage.notes (like notes);
    insert into notes values (1, 'a', 'old'), (2, 'b', 'theirs');
    insert into stage.notes values (1, 'a', 'new'), (2, 'a', 'taken')`);
  const tables = [await stagedTable(client, 'notes', { tenant: { column: 'tenant', value: 'a' } })];
  await expect(inTransaction(client, () => mergeTables(client, tables))).rejects.toMatchObject({
    code: 'ConflictFound',
    object: 'public.notes',
  });
  expect(await rowsOf(client, 'notes')).toEqual(['(1,a,old)', '(2,b,theirs)']);
});

test('a table without a key by how often it has each row, partitioned ones too', async () => {
  await client.query(`
    create table log (day date, what json) partition by range (day);
    create table log_1 partition of log for values from ('2026-01-01') to ('2026-02-01');
    create table log_2 partition of log for values from ('2026-02-01') to ('2026-03-01');
    create table stage.log (day date, what json);
    insert into stage.log values ('2026-01-01', '1'), ('2026-01-01', '1'), ('2026-02-01', null), ('2026-02-02', '{}');
    insert into log values ('2026-01-01', '1'), ('2026-02-01', null), ('2026-02-01', null), ('2026-01-02', '3')`);
  const tables = [await stagedTable(client, 'log')];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toEqual([
    { schema: 'public', table: 'log', inserted: 2, updated: 0, deleted: 2, unchanged: 2 },
  ]);
  expect(await rowsOf(client, 'log')).toEqual(await rowsOf(client, 'stage.log'));
});

test('triggers do not fire, and each is as it was', async () => {
  await client.query(`
    create table items (id int primary key, note text);
    create table stage.items (like items);
    insert into items values (1, 'a'), (2, 'b');
    insert into stage.items values (2, 'B'), (3, 'c');
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    create trigger ordinary after insert or update on items execute function refuse();
    create trigger always before delete on items for each row execute function refuse();
    create trigger off before delete on items for each row execute function refuse();
    alter table items enable always trigger always, disable trigger off`);
  const states = 'select tgname, tgenabled from pg_trigger where not tgisinternal order by 1';
  const before = (await client.query(states)).rows;
  const tables = [await stagedTable(client, 'items')];
  await inTransaction(client, () => mergeTables(client, tables));
  expect(await rowsOf(client, 'items')).toEqual(['(2,B)', '(3,c)']);
  expect((await client.query(states)).rows).toEqual(before);
});

test('a table that a rule keeps from becoming what it should is not committed', async () => {
  await client.query(`
    create table items (id int primary key);
    create rule kept as on delete to items do instead nothing;
    create table stage.items (like items);
    insert into items values (1), (2);
    insert into stage.items values (2), (3)`);
  const tables = [await stagedTable(client, 'items')];
  await expect(inTransaction(client, () => mergeTables(client, tables))).rejects.toMatchObject({
    code: 'VerificationFailed',
  });
  expect(await rowsOf(client, 'items')).toEqual(['(1)', '(2)']);
});

test('the newer row wins; a tie, a NULL and what only the table has stay', async () => {
  await client.query(`
    create table items (id int primary key, seat int unique, at timestamptz);
    create table stage.items (like items);
    insert into items values (1, 1, '2026-01-01'), (2, 2, '2026-01-03'), (3, 3, null), (4, 4, '2026-01-01'),
      (5, 5, '2026-01-01'), (6, 6, '2026-01-01'), (7, 7, '2026-01-01');
    insert into stage.items values (1, 11, '2026-01-02'), (2, 12, '2026-01-02'), (3, 13, '2026-01-02'),
      (4, 14, '2026-01-01'), (5, 6, '2026-01-02'), (6, 5, '2026-01-02'), (8, 18, null)`);
  const tables = [await stagedTable(client, 'items', { newerBy: 'at' })];
  const changes = await inTransaction(client, () => mergeTables(client, tables));
  expect(changes).toEqual([
    { schema: 'public', table: 'items', inserted: 1, updated: 3, deleted: 0, unchanged: 3 },
  ]);
  const { rows } = await client.query('select array_agg(seat order by id) as seats from items');
  expect(rows).toEqual([{ seats: [11, 2, 3, 4, 6, 5, 7, 18] }]);
});

test('a preview tells each difference and changes nothing; its token holds until a row changes', async () => {
  await client.query(`
    create table items (id int primary key, seat int unique, fine boolean, code char(3));
    create table others (id int primary key, item int constraint ofItem references items on delete cascade);
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    create trigger off before delete on items for each row execute function refuse();
    create trigger fires after delete on items for each row execute function refuse();
    alter table items disable trigger off;
    create table stage.items (like items);
    create table stage.others (like others);
    insert into items values (1, 1, true, 'a'), (2, 2, true, 'b'), (3, 3, null, 'c');
    insert into stage.items values (1, 2, true, 'a'), (2, 1, true, 'b'), (4, null, false, 'd')`);
  const tables = [await stagedTable(client, 'items'), await stagedTable(client, 'others')];
  const counts = { schema: 'public', table: 'items', inserted: 1, updated: 2, deleted: 1, unchanged: 0 };
  const none = { schema: 'public', table: 'others', inserted: 0, updated: 0, deleted: 0, unchanged: 0 };
  const keysOnly = await previewTables(client, tables, { samples: 1 });
  expect(keysOnly).toMatchObject({
    tables: [
      {
        ...counts,
        triggers: ['fires'],
        samples: [
          { kind: 'delete', key: { id: '3' } },
          { kind: 'insert', key: { id: '4' } },
          { kind: 'update', key: { id: '1' } },
        ],
      },
      { ...none, triggers: [], samples: [] },
    ],
    foreignKeys: [
      {
        ...{ name: 'ofitem', hold: 'taken off' },
        table: { schema: 'public', table: 'others' },
        refersTo: { schema: 'public', table: 'items' },
      },
    ],
    locks: [{ table: { table: 'items' }, lock: 'access exclusive' }, { table: { table: 'others' } }],
  });
  expect(JSON.stringify(keysOnly)).not.toContain('before');
  const { tables: previews, ifUnchanged } = await previewTables(client, tables, { values: true });
  expect(previews[0]?.samples.slice(0, 2)).toEqual([
    {
      kind: 'delete',
      key: { id: '3' },
      before: { id: '3', seat: '3', fine: null, code: 'c  ' },
      after: null,
    },
    {
      kind: 'insert',
      key: { id: '4' },
      before: null,
      after: { id: '4', seat: null, fine: 'f', code: 'd  ' },
    },
  ]);
  expect(await rowsOf(client, 'items')).toEqual(['(1,1,t,"a  ")', '(2,2,t,"b  ")', '(3,3,,"c  ")']);
  const merge = (of = tables) => inTransaction(client, () => mergeTables(client, of, { ifUnchanged }));
  await client.query("update items set code = 'x' where id = 1");
  await expect(merge()).rejects.toMatchObject({ code: 'ConflictFound', object: 'public.items' });
  await client.query("update items set code = 'a' where id = 1; insert into others values (1, 1)");
  await expect(merge()).rejects.toMatchObject({ code: 'ConflictFound', object: 'public.others' });
  await client.query('delete from others');
  await expect(merge(tables.slice(0, 1))).rejects.toMatchObject({ code: 'InputInvalid' });
  // In whatever order they are given.
  expect(await merge([...tables].reverse())).toEqual([none, counts]);
  expect(await rowsOf(client, 'items')).toEqual(await rowsOf(client, 'stage.items'));
  expect(await previewTables(client, tables)).toMatchObject({
    foreignKeys: [],
    locks: [{ lock: 'share row exclusive' }, { lock: 'share row exclusive' }],
  });
});

/** The lines of a diff, those that are to be taken marked. */
async function markedLines(tables: readonly StagedTable[], take: (line: string) => boolean): Promise<string> {
  const header = { database: 'd', source: { kind: 'stored', id: 's' }, tenant: null } as const;
  let text = '';
  await diffTables(client, tables, {
    onToken: async (ifUnchanged) => {
      text += headerLine({ ...header, ifUnchanged });
    },
    onDifferences: async (differences) => {
      for (const difference of differences) text += differenceLine(difference);
    },
  });
  return text
    .split('\n')
    .map((line) => (take(line) ? line.replace('"take":false', '"take":true') : line))
    .join('\n');
}

async function mergeMarked(tables: readonly StagedTable[], text: string) {
  const { marked } = await openMarked(Readable.from([Buffer.from(text)]));
  return inTransaction(client, () => mergeTables(client, tables, { chosen: marked }));
}

test('marked differences alone are taken, and none when one of them has changed', async () => {
  await client.query(`
    create table items (id int primary key, note text, "__proto__" text, "take" text);
    create table stage.items (like items);
    insert into items values (1, 'a', 'p', ''), (2, 'b', 'p', '"take":false'), (3, 'c', 'p', ''), (5, 'e', 'p', '');
    insert into stage.items values (1, 'A', 'p', ''), (2, E'\\u2028"\\u009bB\\u202e', 'P', '"take":false'), (4, null, 'p', ''),
      (5, 'e', 'p', '')`);
  const tables = [await stagedTable(client, 'items')];
  const mark = (...ids: number[]) =>
    markedLines(tables, (line) => ids.some((id) => line.includes(`"key":{"id":"${id}"}`)));
  const [one, two, four] = [await mark(1, 4), await mark(2, 3), await mark(4)];
  expect(two).toContain(
    '"kind":"update","schema":"public","table":"items","key":{"id":"2"},"changed":["note","__proto__"]',
  );
  expect(two).toContain('"\\u2028\\"\\u009bB\\u202e"');
  const counts = { schema: 'public', table: 'items' };
  expect(
    await previewTables(client, tables, {
      chosen: (await openMarked(Readable.from([Buffer.from(two)]))).marked,
    }),
  ).toMatchObject({ tables: [{ inserted: 0, updated: 1, deleted: 1, unchanged: 3 }] });
  expect(await mergeMarked(tables, two)).toEqual([
    { ...counts, inserted: 0, updated: 1, deleted: 1, unchanged: 3 },
  ]);
  const left = ['(2,"\u2028""\u009bB\u202e",P,"""take"":false")', '(5,e,p,"")'];
  expect(await rowsOf(client, 'items')).toEqual(['(1,a,p,"")', ...left]);
  await client.query("update items set note = 'later' where id = 1");
  await expect(mergeMarked(tables, one)).rejects.toMatchObject({
    code: 'ConflictFound',
    message: expect.stringContaining('public.items (1)'),
  });
  await expect(mergeMarked(tables, two)).rejects.toMatchObject({ code: 'ConflictFound' });
  await expect(mergeMarked(tables, `${four}{"take": true}`)).rejects.toMatchObject({
    code: 'InputInvalid',
    line: 6,
  });
  await expect(mergeMarked(tables, four.slice(four.indexOf('\n') + 1))).rejects.toMatchObject({ line: 1 });
  await mergeMarked(tables, four);
  expect(await rowsOf(client, 'items')).toEqual(['(1,later,p,"")', left[0], '(4,,p,"")', left[1]]);
});

test('of equal rows of a table without a key as many are taken as are marked', async () => {
  await client.query(`
    create table log (what text);
    create table stage.log (like log);
    insert into log values ('gone'), ('gone'), ('gone'), ('same');
    insert into stage.log values ('same'), ('new'), ('new')`);
  const tables = [await stagedTable(client, 'log')];
  const seen = new Map<string, number>();
  const text = await markedLines(tables, (line) => {
    const kind = /"kind":"(\w+)"/.exec(line)?.[1] ?? '';
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    return seen.get(kind) === 1 || (kind === 'delete' && seen.get(kind) === 2);
  });
  expect(await mergeMarked(tables, text)).toMatchObject([{ inserted: 1, updated: 0, deleted: 2 }]);
  expect(await rowsOf(client, 'log')).toEqual(['(gone)', '(new)', '(same)']);
  // One of the two that were to go is still there, and not the other.
  await expect(mergeMarked(tables, text)).rejects.toMatchObject({ code: 'ConflictFound' });
});

test('a table of which a user may not see all rows is refused', async () => {
  await client.query(`
    create table items (id int primary key);
    alter table items enable row level security;
    create table stage.items (like items)`);
  const user = await session.makeUser();
  await client.query(`
    grant usage on schema public, stage to "${user}"; grant all on all tables in schema public, stage to "${user}"`);
  const other = await session.open(user);
  const tables = [await stagedTable(other, 'items')];
  await expect(previewTables(other, tables)).rejects.toMatchObject({ code: 'PermissionDenied' });
  await expect(inTransaction(other, () => mergeTables(other, tables))).rejects.toMatchObject({
    code: 'PermissionDenied',
  });
});

test('only the owner of a table keeps its triggers from firing', async () => {
  await client.query(`
    create table items (id int primary key);
    create table stage.items (like items);
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    create trigger never before delete on items for each row execute function refuse();`);
  const user = await session.makeUser();
  await client.query(`
    grant usage on schema public, stage to "${user}"; grant all on all tables in schema public, stage to "${user}"`);
  const other = await session.open(user);
  const tables = [await stagedTable(other, 'items')];
  await expect(inTransaction(other, () => mergeTables(other, tables))).rejects.toMatchObject({
    code: 'PermissionDenied',
    hint: 'Restore as the owner of the table, or disable its triggers meanwhile.',
  });
});
