import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AskedRange } from '../../src/config/row-range.ts';
import { defaultRestoreOptions, type RestoreOptions } from '../../src/contract/restore-request.ts';
import { askedTarget } from '../../src/postgres/asked-target.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import { estimateGrowth } from '../../src/postgres/growth.ts';
import { createShadow } from '../../src/postgres/shadow.ts';
import { readTimeRange } from '../../src/postgres/time-range.ts';
import { describeDangling } from '../../src/preview/dangling.ts';
import { Rehearsal } from '../../src/preview/rehearsal.ts';
import type { ArchivedRow } from '../harness/archive-writer.ts';
import { createLoadSite, type LoadSite } from '../load/load-site.ts';

let site: LoadSite;
let tables = 0;
let batches = 0;
let shadows = 0;

beforeAll(async () => {
  site = await createLoadSite('rehearsal');
  await site.pg.query('create extension btree_gist; create extension citext schema pg_catalog');
});

afterAll(async () => {
  await site.close();
});

/** A table and what is archived for it. */
interface Case {
  /** Of the table `T`. */
  readonly ddl: string;
  readonly archives: readonly (readonly ArchivedRow[])[];
  readonly options?: Partial<RestoreOptions>;
  readonly range?: AskedRange;
  /** Inserted, updated, skipped, failed. */
  readonly rows: readonly [number, number, number, number];
}

/** Beside a key and a time, those that make 1,600. */
const wideColumns = Array.from({ length: 1_598 }, (_, place) => `c${place + 2}`);
const wide = (id: number, day: string, c3: number): ArchivedRow => ({
  ...{ id, at: `${day}T00:00:00+00:00` },
  ...Object.fromEntries(wideColumns.map((name) => [name, name === 'c3' ? c3 : null])),
});

const live = (rows: string) => `insert into T values ${rows};`;

const cases: Readonly<Record<string, Case>> = {
  'expression and partial keys': {
    ddl: `create table T (id int primary key, mail text, gone boolean default false);
      create unique index on T (lower(mail)) where not gone;
      ${live(`(1, 'A@x', false), (2, 'b@x', true), (3, 'c@x', false)`)}`,
    archives: [
      [
        { id: 4, mail: 'a@X', gone: false },
        { id: 5, mail: 'B@x', gone: false },
        { id: 6, mail: 'C@x', gone: true },
      ],
      [
        { id: 7, mail: 'b@X', gone: false },
        { id: 3, mail: 'z@x', gone: false },
      ],
    ],
    rows: [2, 0, 3, 0],
  },
  'exclusion constraint': {
    ddl: `create table T (room int, during int4range, exclude using gist (room with =, during with &&));
      ${live(`(1, '[1,5)'), (2, '[1,5)')`)}`,
    archives: [
      [
        { room: 1, during: '[4,6)' },
        { room: 1, during: '[1,2)' },
      ],
      [
        { room: 1, during: '[5,9)' },
        { room: 3, during: '[4,6)' },
      ],
    ],
    rows: [2, 0, 2, 0],
  },
  'key that is checked late': {
    ddl: `create table T (id int primary key deferrable initially deferred, note text); ${live(`(1, 'x')`)}`,
    archives: [
      [
        { id: 1, note: 'a' },
        { id: 2, note: 'a' },
        { id: 2, note: 'b' },
      ],
      [{ id: 2, note: 'c' }],
    ],
    rows: [1, 0, 3, 0],
  },
  'key that is checked late, overwritten': {
    ddl: `create table T (id int primary key deferrable, note text); ${live(`(1, 'x'), (3, 'c')`)}`,
    archives: [
      [
        { id: 1, note: 'a' },
        { id: 2, note: 'a' },
        { id: 2, note: 'b' },
      ],
      [
        { id: 2, note: 'c' },
        { id: 3, note: 'c' },
      ],
    ],
    options: { conflictStrategy: 'overwrite' },
    rows: [1, 2, 2, 0],
  },
  'named columns in place of a key': {
    ddl: `create table T (day date, kind text, n int); ${live(`('2026-01-01', 'a', 1), ('2026-01-02', 'a', 2)`)}`,
    archives: [
      [
        { day: '2026-01-01', kind: 'a', n: 5 },
        { day: '2026-01-03', kind: 'a', n: 5 },
      ],
      [
        { day: '2026-01-03', kind: 'a', n: 6 },
        { day: '2026-01-02', kind: 'a', n: 2 },
      ],
    ],
    options: { conflictStrategy: 'upsert', keyColumns: ['day', 'kind'] },
    rows: [1, 2, 1, 0],
  },
  'no key at all': {
    ddl: `create table T (n int); ${live('(1)')}`,
    archives: [[{ n: 1 }, { n: 1 }], [{ n: 1 }]],
    rows: [3, 0, 0, 0],
  },
  'partitions, and a row that none takes': {
    ddl: `create table T (id int, at date, note text, primary key (id, at)) partition by range (at);
      create table T_1 partition of T for values from ('2026-01-01') to ('2026-02-01');
      create table T_2 partition of T for values from ('2026-02-01') to ('2026-03-01') partition by list (id);
      create table T_21 partition of T_2 for values in (1, 2);
      ${live(`(1, '2026-01-05', 'x'), (1, '2026-02-05', 'y')`)}`,
    archives: [
      [
        { id: 1, at: '2026-01-05', note: 'z' },
        { id: 2, at: '2026-02-05', note: 'z' },
      ],
      [{ id: 3, at: '2026-02-05', note: 'z' }],
      [{ id: 3, at: '2026-03-05', note: 'z' }],
      [{ id: 1, at: '2026-02-05', note: 'y' }],
    ],
    options: { conflictStrategy: 'overwrite' },
    rows: [1, 1, 1, 0],
  },
  'keys that the table makes itself': {
    ddl: `create table T (id serial primary key, code text not null default 'new', note citext unique);
      select nextval('T_id_seq'), nextval('T_id_seq');
      ${live(`(1, 'a', 'There')`)}`,
    archives: [[{ note: 'one' }, { note: 'two' }, { note: 'THERE' }], [{ id: 9, note: 'three' }]],
    rows: [3, 0, 1, 0],
  },
  'identities that are always generated': {
    ddl: `create table T (id int generated always as identity primary key, code text unique);
      insert into T (code) values ('a'), ('b');`,
    archives: [
      [
        { id: 1, code: 'z' },
        { id: 7, code: 'q' },
      ],
      [{ id: 8, code: 'b' }],
    ],
    options: { conflictStrategy: 'overwrite' },
    rows: [1, 1, 0, 0],
  },
  'NULLs that are the same': {
    ddl: `create table T (a int, b int, unique nulls not distinct (a, b)); ${live('(1, null), (2, 2)')}`,
    archives: [
      [
        { a: 1, b: null },
        { a: null, b: null },
      ],
      [
        { a: null, b: null },
        { a: 2, b: 3 },
      ],
    ],
    rows: [2, 0, 2, 0],
  },
  'rows that break a check which came late': {
    ddl: `create table T (id int primary key, n int); ${live('(1, -5), (4, -5)')}
      alter table T add constraint positive check (n > 0) not valid`,
    archives: [
      [{ id: 1, n: 5 }],
      [
        { id: 2, n: -1 },
        { id: 3, n: 1 },
        { id: 4, n: -7 },
      ],
    ],
    options: { conflictStrategy: 'overwrite', maxRejects: 2 },
    rows: [1, 1, 0, 2],
  },
  'a time of their own': {
    ddl: `create table T (id int primary key, at timestamptz); ${live(`(1, '2026-01-02Z')`)}`,
    archives: [
      [
        { id: 1, at: '2026-01-02T00:00:00+00:00' },
        { id: 2, at: '2026-01-03T00:00:00+00:00' },
        { id: 3, at: '2026-02-03T00:00:00+00:00' },
      ],
      [{ id: 4, at: null }],
    ],
    range: { column: 'at', from: '2026-01-01', to: '2026-01-31' },
    rows: [1, 0, 1, 0],
  },
  'as many columns as a table can have': {
    ddl: `create table T (id int primary key, at timestamptz, ${wideColumns.map((name) => `${name} int`).join(', ')});
      insert into T (id, at, c3) values (1, '2026-01-02Z', 7), (2, '2026-01-02Z', 1), (3, '2026-01-02Z', 1)`,
    archives: [
      [
        wide(1, '2026-01-02', 7),
        wide(5, '2026-02-02', 1),
        wide(2, '2026-01-02', 1),
        wide(4, '2026-01-02', 1),
      ],
      [
        wide(2, '2026-01-02', 2),
        wide(6, '2026-01-02', 2),
        wide(3, '2026-01-02', 3),
        wide(6, '2026-01-02', 2),
      ],
    ],
    options: { conflictStrategy: 'overwrite' },
    range: { column: 'at', from: '2026-01-01', to: '2026-01-31' },
    rows: [2, 2, 3, 0],
  },
  'some columns, and others by another name': {
    ddl: `create table T (id int primary key, label text, extra int default 7); ${live(`(1, 'x', 3)`)}`,
    archives: [
      [
        { id: 1, name: 'a', extra: 9 },
        { id: 2, name: 'b', extra: 9 },
      ],
    ],
    options: { conflictStrategy: 'upsert', columns: ['id', 'name'], renamedColumns: { name: 'label' } },
    rows: [1, 1, 0, 0],
  },
  'the first conflict under fail': {
    ddl: `create table T (id int primary key, code text unique); ${live(`(1, 'a')`)}`,
    archives: [
      [
        { id: 2, code: 'b' },
        { id: 3, code: 'a' },
      ],
      [
        { id: 2, code: 'b' },
        { id: 3, code: 'c' },
      ],
      [
        { id: 4, code: 'd' },
        { id: 3, code: 'e' },
      ],
    ],
    options: { conflictStrategy: 'fail' },
    rows: [2, 0, 0, 0],
  },
};

test.each(Object.entries(cases))('%s: the numbers are those of the load', async (_, each) => {
  const table = `t${tables++}`;
  await site.pg.query(each.ddl.replaceAll(/\bT\b/g, table).replaceAll(/\bT_/g, `${table}_`));
  const refs = [];
  for (const rows of each.archives) refs.push(await site.archive(++batches, rows));
  const before = await everything(table);
  const { outcome: foreseen } = await rehearse(table, each, refs);
  expect(await everything(table)).toEqual(before);
  const [inserted, updated, skipped, failed] = each.rows;
  expect(foreseen.tally.rows).toEqual({ inserted, updated, skipped, failed });

  const restore = await site.restore(table, each.options);
  const how = each.range === undefined ? {} : { range: each.range };
  const loaded = await restore.load(refs, 0, how).outcome;
  expect(foreseen).toEqual({
    ...loaded,
    failures: loaded.failures.map((failure) => ({ ...failure, stage: expect.anything() })),
  });
});

async function rehearse(
  table: string,
  { options = {}, range }: Case,
  refs: Parameters<Rehearsal['load']>[0],
) {
  const asked = { ...defaultRestoreOptions, ...options };
  const target = askedTarget(await readTarget(site.pg, 'public', table), asked);
  const shadow = await createShadow(site.pg, target, shadows++);
  const rehearsal = new Rehearsal(
    site.pg,
    {
      scope: {
        ...{ restoreId: '', fingerprint: '', database: 'app' },
        table: { table: 'items', schema: 'public', intoSchema: 'public', intoTable: table },
      },
      ...{
        options: asked,
        target,
        folder: 'app/items/',
        named: false,
        sharedFolder: false,
        schemas: [],
        hasForeign: false,
      },
      shadow,
      range: range === undefined ? null : await readTimeRange(site.pg, target, range),
    },
    site.store,
    new AbortController().signal,
  );
  return { outcome: await rehearsal.load(refs), target, shadow };
}

test('what a table will grow by is told within a third', async () => {
  await site.pg.query(`
    create table growing (id int primary key, note text, at timestamptz);
    create index on growing (at); create index on growing (note)`);
  const rows = Array.from({ length: 5000 }, (_, id) => {
    return { id, note: `note ${id} of some length`, at: `2026-01-04T00:00:00.${id + 100_000}+00:00` };
  });
  const refs = [await site.archive(++batches, rows)];
  const size = async () => {
    const { rows: sizes } = await site.pg.query(`select pg_total_relation_size('growing')::int as size`);
    return Number(sizes[0].size);
  };
  const before = await size();
  const plain: Case = { ddl: '', archives: [], rows: [0, 0, 0, 0] };
  const { target, shadow, outcome } = await rehearse('growing', plain, refs);
  const foreseen = await estimateGrowth(site.pg, target.oid, shadow, outcome.tally.rows);
  const restore = await site.restore('growing');
  await restore.load(refs, 0).outcome;
  const grown = (await size()) - before;
  expect(foreseen / grown).toBeGreaterThan(0.67);
  expect(foreseen / grown).toBeLessThan(1.5);
});

/** Rows with their versions, and sequences. */
async function everything(table: string): Promise<unknown> {
  const { rows } = await site.pg.query(`select tableoid, ctid, xmin, t.* from ${table} t order by 1, 2`);
  const { rows: sequences } = await site.pg.query(`select * from pg_sequences where schemaname = 'public'`);
  return { rows, sequences };
}

test('rows that would break a foreign key are told', async () => {
  await site.pg.query(`
    create table parents (id int primary key);
    create table children (id int primary key, parent int constraint kin references parents);
    insert into parents values (1)`);
  const parents = await site.archive(++batches, [{ id: 2 }]);
  const children = await site.archive(++batches, [
    { id: 1, parent: 1 },
    { id: 2, parent: 2 },
    { id: 3, parent: 3 },
    { id: 4, parent: null },
  ]);
  const rehearsed = [];
  for (const [table, ref] of Object.entries({ children, parents })) {
    const target = await readTarget(site.pg, 'public', table);
    const shadow = await createShadow(site.pg, target, shadows++);
    const scope = {
      ...{ restoreId: '', fingerprint: '', database: 'app' },
      table: { table: 'items', schema: 'public', intoSchema: 'public', intoTable: table },
    };
    const flags = { folder: 'app/items/', named: false, sharedFolder: false, schemas: [], hasForeign: false };
    const given = { ...flags, scope, options: defaultRestoreOptions, target, shadow, range: null };
    await new Rehearsal(site.pg, given, site.store, new AbortController().signal).load([ref]);
    rehearsed.push({ target, shadow });
  }
  const [first] = rehearsed;
  if (first === undefined) return expect.fail();
  expect(await describeDangling(site.pg, first, rehearsed)).toEqual([
    '1 row refers by foreign key kin to rows of public.parents that are not there: archives with such rows fail, or put them aside as far as --max-rejects allows.',
  ]);
  expect(await describeDangling(site.pg, first, [first])).toEqual([
    expect.stringMatching(/^2 rows refer by foreign key kin /),
  ]);
});

test('what a default writes elsewhere is refused, and nothing is written', async () => {
  await site.pg.query(`
    create table seen (what text);
    create function note() returns int language plpgsql as
      $$ begin insert into seen values ('x'); return 1; end $$;
    create table noted (id int primary key, n int default note())`);
  const refs = [await site.archive(++batches, [{ id: 1 }])];
  const ddl: Case = { ddl: '', archives: [], rows: [0, 0, 0, 0] };
  await expect(rehearse('noted', ddl, refs)).rejects.toThrow(
    'public.noted: a default or check of the table writes somewhere, which a dry run must not.',
  );
  expect((await site.pg.query('select from seen')).rowCount).toBe(0);
});
