import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DumpPart, wholeDump } from '../../../src/contract/dump-request.ts';
import { loadDumpInto } from '../../../src/dump/load/load.ts';
import { describeWithPrograms, hasClientPrograms, pgDump } from '../../harness/client-programs.ts';
import { createTestDumps, type TestDumps } from '../../harness/dump.ts';
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';

let source: TestDatabase;
let target: TestDatabase;
let dumps: TestDumps;

beforeAll(async () => {
  source = await createTestDatabase('part_source');
  target = await createTestDatabase('part_target');
  dumps = await createTestDumps();
  await (await source.client()).query(`
    create schema "My Schema";
    create schema other;
    create table parent (id int primary key);
    create table parent_more (id int primary key, parent int references parent);
    create table "My Schema"."Odd ""Na me.x" (id serial primary key, v text default 'x', parent int references public.parent);
    create index "odd index" on "My Schema"."Odd ""Na me.x" (v);
    create statistics "My Schema".odd_statistics on id, v from "My Schema"."Odd ""Na me.x";
    alter table "My Schema"."Odd ""Na me.x" enable row level security;
    create policy p on "My Schema"."Odd ""Na me.x" using (true);
    comment on index "My Schema"."odd index" is 'kept';
    create table "My Schema".parent (id int primary key);
    create table other.uses (id int default nextval('"My Schema"."Odd ""Na me.x_id_seq"'));
    create table other."UP" (id int primary key);
    create view other.vw as select * from public.parent;
    create schema spans;
    create table spans.days (day int) partition by range (day);
    create table spans."days 1" partition of spans.days for values from (0) to (10);
    create table spans."days 2" partition of spans.days for values from (10) to (20);
    insert into parent values (1), (2);
    insert into "My Schema".parent values (3);
    insert into parent_more values (1, 1);
    insert into "My Schema"."Odd ""Na me.x" (v, parent) values ('a', 1), ('b', 2);
    insert into other."UP" values (7);
    insert into spans.days values (1), (2), (11);
  `);
  if (!hasClientPrograms) return;
  await dumps.put('tar', await pgDump(source, '--format=tar'));
  await dumps.put('custom', await pgDump(source, '--format=custom'));
  await dumps.put('plain', await pgDump(source));
});

afterAll(async () => {
  await dumps.remove();
  for (const database of [source, target]) await database.drop();
});

/** Loads a part into the target, which has nothing but `prepare` in it, and tells what is there then. */
async function loaded(key: 'tar' | 'custom' | 'plain', part: Partial<DumpPart>, prepare = 'select') {
  const client = await target.client();
  await client.query(`
    drop schema if exists other cascade; drop schema if exists spans cascade; drop schema if exists "My Schema" cascade;
    drop schema public cascade; create schema public; ${prepare}`);
  await loadDumpInto(await dumps.load(key, key, target, { part: { ...wholeDump, ...part } }));
  const { rows } = await client.query<{ object: string }>(`
    select c.oid::regclass::text || ' ' || relkind::text as object from pg_class c
      where relnamespace::regnamespace::text !~ '^pg_|^information_schema$'
    union all select conrelid::regclass::text || ' ' || conname || ' ' || contype::text from pg_constraint
      where connamespace::regnamespace::text !~ '^pg_|^information_schema$' and contype = 'f'
    union all select polrelid::regclass::text || ' policy ' || polname from pg_policy
    union all select 'statistics ' || stxname from pg_statistic_ext
    union all select 'comment ' || description from pg_description where description = 'kept'
    union all select 'default ' || adrelid::regclass::text from pg_attrdef`);
  return rows.map(({ object }) => object).toSorted();
}

const odd = 'My Schema."Odd ""Na me.x"';

/** Tables that refer to each other, what a trigger has written of them, and counters. */
const circleSql = `
  create table heads (id serial primary key, part int not null, note text);
  create table parts (id bigserial primary key, head int not null, up bigint references parts, n numeric);
  create table seen (what text, at timestamptz default now());
  create function see() returns trigger language plpgsql as $$
    begin insert into public.seen (what) values (tg_table_name || new.id); return new; end $$;
  create trigger see after insert on heads for each row execute function see();
  create trigger see after insert on parts for each row execute function see();
  alter table heads add foreign key (part) references parts;
  alter table parts add foreign key (head) references heads deferrable initially deferred`;

/** All that the tables of the circle hold, and where their counters stand. */
async function circleOf(database: TestDatabase) {
  const client = await database.client();
  const { rows } = await client.query<{ row: string }>(`
    select 'heads ' || h::text as row from heads h union all select 'parts ' || p::text from parts p
    union all select 'seen ' || s::text from seen s
    union all select 'heads_id_seq ' || last_value || is_called from heads_id_seq
    union all select 'parts_id_seq ' || last_value || is_called from parts_id_seq`);
  await client.end();
  return rows.map(({ row }) => row).toSorted();
}

describeWithPrograms('rows alone, into tables that are there', () => {
  test('come with foreign keys in a circle and counters as they were, or not at all', async () => {
    const [from, into] = [
      await createTestDatabase('circle_source'),
      await createTestDatabase('circle_target'),
    ];
    try {
      const run = async (database: TestDatabase, sql: string) => {
        const client = await database.client();
        await client.query(sql);
        await client.end();
      };
      await run(
        from,
        `${circleSql};
        begin;
        insert into parts select n, n, case when n > 1 then n - 1 end, n / 7.0 from generate_series(1, 500) n;
        insert into heads select n, n, E'line\\n\\t' || n from generate_series(1, 500) n;
        commit;
        select setval('heads_id_seq', 900), setval('parts_id_seq', 77, false);`,
      );
      await run(into, circleSql);
      await dumps.put('circle', await pgDump(from, '--format=custom', '--data-only'));
      const whole = await circleOf(from);
      const load = async (options: readonly string[]) =>
        loadDumpInto(
          await dumps.load('circle', 'custom', into, {
            ...{ part: { ...wholeDump, dataOnly: true }, options, oneTransaction: true },
          }),
        );

      const empty = await circleOf(into);
      await expect(load([])).rejects.toMatchObject({ code: 'DumpRejected' });
      expect(await circleOf(into)).toEqual(empty);

      // One row in the way, of the table that is loaded last.
      await run(into, `set session_replication_role = replica; insert into parts values (500, 1, null, 0)`);
      const before = await circleOf(into);
      await expect(load(['--disable-triggers'])).rejects.toMatchObject({ code: 'DumpRejected' });
      expect(await circleOf(into)).toEqual(before);

      await run(into, `set session_replication_role = replica; delete from parts`);
      await load(['--disable-triggers']);
      // Both ways: nothing is missing, changed, doubled, or written by a trigger of the load.
      expect(await circleOf(into)).toEqual(whole);
      await expect(run(into, 'insert into heads (part) values (-1)')).rejects.toThrow(/foreign key/);
      const client = await into.client();
      const { rows } = await client.query(`
        insert into heads (part, note) values (1, 'next') returning id,
          (select count(*)::int from pg_trigger where tgenabled <> 'O') as "switchedOff"`);
      await client.end();
      // The failed insert has used one of the counter, and triggers are on again.
      expect(rows).toEqual([{ id: 902, switchedOff: 0 }]);
    } finally {
      await Promise.all([from.drop(), into.drop()]);
    }
  });
});

describeWithPrograms('a part of a dump', () => {
  test.each(['tar', 'custom'] as const)('of %s is a table with all that belongs to it', async (key) => {
    const prepare = 'create table parent (id int primary key); insert into parent values (1), (2)';
    expect(await loaded(key, { tables: [odd] }, prepare)).toEqual(
      [
        ...['parent r', 'parent_pkey i'],
        '"My Schema"."Odd ""Na me.x" r',
        '"My Schema"."Odd ""Na me.x_id_seq" S',
        '"My Schema"."Odd ""Na me.x_pkey" i',
        '"My Schema"."Odd ""Na me.x" Odd "Na me.x_parent_fkey f',
        '"My Schema"."Odd ""Na me.x" policy p',
        '"My Schema"."odd index" i',
        ...['statistics odd_statistics', 'comment kept'],
        ...['default "My Schema"."Odd ""Na me.x"', 'default "My Schema"."Odd ""Na me.x"'],
      ].toSorted(),
    );
    const { rows } = await (await target.client()).query(
      `select id, v, parent, nextval('"My Schema"."Odd ""Na me.x_id_seq"')::int as next
       from "My Schema"."Odd ""Na me.x" order by id`,
    );
    expect(rows).toEqual([
      { id: 1, v: 'a', parent: 1, next: 3 },
      { id: 2, v: 'b', parent: 2, next: 4 },
    ]);
  });

  test('a table without schema is any of that name, and takes no foreign key of others with it', async () => {
    expect(await loaded('tar', { tables: ['parent'] })).toEqual(
      ['"My Schema".parent r', '"My Schema".parent_pkey i', 'parent r', 'parent_pkey i'].toSorted(),
    );
    expect(await loaded('tar', { tables: ['parent'], schemas: ['public'] })).toEqual([
      'parent r',
      'parent_pkey i',
    ]);
    expect(await loaded('tar', { tables: ['public.parent', 'other.UP'] })).toEqual(
      ['parent r', 'parent_pkey i', 'other."UP" r', 'other."UP_pkey" i'].toSorted(),
    );
  });

  test('a schema comes with itself where it is not there', async () => {
    const objects = ['other."UP" r', 'other."UP_pkey" i', 'other.uses r', 'default other.uses', 'other.vw v'];
    const prepare = `create schema "My Schema"; create sequence "My Schema"."Odd ""Na me.x_id_seq"; create table parent (id int)`;
    const before = ['"My Schema"."Odd ""Na me.x_id_seq" S', 'parent r'];
    expect(await loaded('custom', { schemas: ['other'] }, prepare)).toEqual(
      [...objects, ...before].toSorted(),
    );
    expect(await loaded('custom', { schemas: ['other'] }, `create schema other; ${prepare}`)).toEqual(
      [...objects, ...before].toSorted(),
    );
  });

  test('data alone, a section alone, and in the place of what is there', async () => {
    const table = 'create schema other; create table other."UP" (id int)';
    const rows = async () => (await (await target.client()).query('select id from other."UP"')).rows;
    expect(await loaded('tar', { tables: ['UP'], dataOnly: true }, table)).toEqual(['other."UP" r']);
    expect(await rows()).toEqual([{ id: 7 }]);
    expect(await loaded('tar', { tables: ['UP'], sections: ['post-data'] }, table)).toEqual(
      ['other."UP" r', 'other."UP_pkey" i'].toSorted(),
    );
    expect(await rows()).toEqual([]);
    await loaded('tar', { tables: ['UP'], clean: true }, `${table}; insert into other."UP" values (8), (9)`);
    expect(await rows()).toEqual([{ id: 7 }]);
  });

  test.each([
    [{ tables: ['up'] }, 'table "up" not found'],
    [{ tables: ['parent.id'] }, 'schema "parent" not found'],
    [{ tables: ['public.par%'] }, 'table "par%" not found'],
    [{ tables: ['parent', 'nowhere'] }, 'table "nowhere" not found'],
    [{ schemas: ['OTHER'] }, 'schema "OTHER" not found'],
  ])('%j is not in the dump, and says so before anything is loaded', async (part, message) => {
    await expect(loaded('tar', part)).rejects.toMatchObject({
      code: 'InputInvalid',
      message: `tar does not have what is asked for: ${message}`,
    });
    const { rows } = await (await target.client()).query(`select to_regclass('public.parent') as parent`);
    expect(rows).toEqual([{ parent: null }]);
  });

  test('a partitioned table has its rows in its partitions, and says so where none of them is named', async () => {
    const days = 'create schema spans; create table spans.days (day int) partition by range (day)';
    for (const part of [{}, { dataOnly: true }, { tables: ['spans.days', 'parent'] }]) {
      await expect(loaded('tar', { tables: ['days'], ...part }, days)).rejects.toMatchObject({
        code: 'InputInvalid',
        message: 'spans.days is partitioned, and has no rows of its own',
      });
    }
    expect(await loaded('custom', { tables: ['days'], schemaOnly: true })).toEqual(['spans.days p']);
    expect(await loaded('custom', { tables: ['days', 'days 2'] })).toEqual([
      'spans."days 2" r',
      'spans.days p',
    ]);
    const { rows } = await (await target.client()).query('select day from spans.days');
    expect(rows).toEqual([{ day: 11 }]);
  });

  test('of a plain dump there is none', async () => {
    await expect(loaded('plain', { tables: ['parent'] })).rejects.toMatchObject({
      code: 'InputInvalid',
      message: 'plain is plain SQL, which can only be restored as a whole.',
    });
    const load = await dumps.load('plain', 'plain', target, { options: ['--no-owner'] });
    await expect(loadDumpInto(load)).rejects.toMatchObject({ code: 'InputInvalid' });
  });
});
