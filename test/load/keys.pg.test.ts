import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LoadOutcome } from '../../src/contract/activities.ts';
import {
  type ConflictStrategy,
  conflictStrategies,
  defaultRestoreOptions,
} from '../../src/contract/restore-request.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { askedTarget } from '../../src/postgres/asked-target.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import type { ArchivedRow } from '../harness/archive-writer.ts';
import { asAdministrator } from '../harness/postgres.ts';
import { createLoadSite, type LoadHow, type LoadSite } from './load-site.ts';
import { Random } from './random.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('load_keys');
});

afterAll(async () => {
  await site.close();
});

afterEach(async () => {
  await site.pg.query('drop table if exists items, log cascade');
});

type Options = Parameters<LoadSite['restore']>[1];

/** Loads each list of rows as an archive, one after the other. */
async function load(
  archives: readonly (readonly ArchivedRow[])[],
  options: Options = {},
  how: LoadHow = {},
): Promise<LoadOutcome[]> {
  const restore = await site.restore('items', options);
  const outcomes: LoadOutcome[] = [];
  for (const [place, rows] of archives.entries()) {
    outcomes.push(await restore.load([await site.archive(place + 1, rows)], place, how).outcome);
  }
  await site.pg.query('update thaw.targets set released_at = now()');
  return outcomes;
}

function rowsOf(outcome: LoadOutcome | undefined): unknown {
  return outcome?.tally.rows;
}

function counts(inserted: number, updated: number, skipped: number) {
  return { inserted, updated, skipped, failed: 0 };
}

async function notes(): Promise<unknown[]> {
  const { rows } = await site.pg.query<{ note: string }>('select note from items order by note');
  return rows.map(({ note }) => note);
}

/** What a restore into the table would say of it. */
async function notices(options: Options = {}): Promise<readonly string[]> {
  const catalog = await readTarget(site.pg, 'public', 'items');
  return askedTarget(catalog, { ...defaultRestoreOptions, ...options }).notices;
}

describe('whatever the key', () => {
  const uuid = '6f1f7c5e-0000-4000-8000-00000000000';
  /** Table, the row that is there, and archived: that key twice with others, a new one. */
  const kinds: readonly (readonly [string, string, boolean, (n: number) => ArchivedRow])[] = [
    ['composite', 'a int, b text, note text, primary key (a, b)', true, (n) => ({ a: 1, b: `x${n}` })],
    ['uuid', 'id uuid primary key, note text', true, (n) => ({ id: `${uuid}${n}` })],
    ['text', 'id text primary key, note text', true, (n) => ({ id: `k ${n}` })],
    [
      'nulls not distinct',
      'a int, b int, note text, unique nulls not distinct (a, b)',
      true,
      (n) => ({ a: null, b: n }),
    ],
    ['late', 'id int primary key deferrable initially deferred, note text', true, (n) => ({ id: n })],
    [
      'expression',
      'email text not null, note text; create unique index by_email on items (lower(email))',
      false,
      (n) => ({ email: `A${n}@x` }),
    ],
    [
      'partial',
      'id int, note text; create unique index live_id on items (id) where id > 0',
      false,
      (n) => ({ id: n }),
    ],
    [
      'exclusion',
      `span int4range, note text, exclude using gist (span with &&)`,
      false,
      (n) => ({ span: `[${n * 10},${n * 10 + 5})` }),
    ],
    ['several', 'id int primary key, code int unique, note text', true, (n) => ({ id: n, code: n })],
  ];

  test.each(kinds)('%s', async (_kind, columns, updatable, keyOf) => {
    const row = (n: number, note: string) => ({ ...keyOf(n), note });
    const [body = '', ...indexes] = columns.split(';');
    const results = new Map<ConflictStrategy, unknown>();
    for (const strategy of conflictStrategies) {
      await site.pg.query(`drop table if exists items; create table items (${body}); ${indexes.join(';')}`);
      await load([[row(1, 'old'), row(2, 'same')]]);
      await site.pg.query('truncate thaw.archives');
      const archive = [row(3, 'third'), row(1, 'new'), row(2, 'same'), row(3, 'last')];
      if (!updatable && (strategy === 'overwrite' || strategy === 'upsert')) {
        await expect(load([archive], { conflictStrategy: strategy })).rejects.toMatchObject({
          code: 'SchemaIncompatible',
          hint: expect.stringContaining('--key'),
        });
        continue;
      }
      const [outcome] = await load([archive], { conflictStrategy: strategy });
      results.set(strategy, [outcome?.failures.map(({ code }) => code), rowsOf(outcome), await notes()]);
    }
    expect(results.get('skip')).toEqual([[], counts(1, 0, 3), ['old', 'same', 'third']]);
    expect(results.get('fail')).toMatchObject([['ConflictFound'], { inserted: 0 }, ['old', 'same']]);
    if (!updatable) return;
    for (const strategy of ['overwrite', 'upsert'] as const) {
      expect(results.get(strategy)).toEqual([[], counts(1, 1, 2), ['last', 'new', 'same']]);
    }
  });

  test('no key: all rows come in, and --key is named', async () => {
    await site.pg.query('create table items (id int, note text)');
    const [outcome] = await load([
      [
        { id: 1, note: 'a' },
        { id: 1, note: 'b' },
      ],
    ]);
    expect(rowsOf(outcome)).toEqual(counts(2, 0, 0));
    expect(await notices()).toEqual([expect.stringMatching(/has no key.*--key/)]);
  });
});

describe('--key', () => {
  const columns = 'create table items (a int, b int, note text)';
  const old = `insert into items values (1, 1, 'old'), (2, 2, 'same'), (null, 1, 'null')`;
  const archives = [
    [
      { a: 1, b: 1, note: 'new' },
      { a: 2, b: 2, note: 'same' },
      { a: null, b: 1, note: 'another null' },
      { a: 3, b: 3, note: 'third' },
      { a: 3, b: 3, note: 'last' },
    ],
  ];

  test.each<[ConflictStrategy, ReturnType<typeof counts>, string[]]>([
    ['skip', counts(2, 0, 3), ['another null', 'null', 'old', 'same', 'third']],
    ['overwrite', counts(2, 1, 2), ['another null', 'last', 'new', 'null', 'same']],
  ])('%s tells rows apart by columns without an index', async (conflictStrategy, expected, left) => {
    for (const batchSize of [null, 1, 2]) {
      await site.pg.query(`drop table if exists items; ${columns}; ${old}`);
      const [outcome] = await load(archives, { conflictStrategy, keyColumns: ['a', 'b'], batchSize });
      expect(rowsOf(outcome), `batches of ${batchSize}`).toEqual(expected);
      expect(await notes()).toEqual(left);
    }
  });

  test('fail refuses a row that is there, and one that comes twice, by line', async () => {
    await site.pg.query(columns);
    const options: Options = { conflictStrategy: 'fail', keyColumns: ['a', 'b'] };
    const twice = await load(
      [
        [
          { a: 9, b: 9, note: 'x' },
          { a: 3, b: 3, note: 'y' },
          { a: 9, b: 9, note: 'z' },
        ],
      ],
      options,
    );
    expect(twice[0]?.failures[0]?.message).toContain(
      'line 3 conflicts with an earlier line of the archive (key a, b)',
    );
    await site.pg.query(old);
    await site.pg.query('truncate thaw.archives');
    const there = await load(archives, options);
    expect(there[0]?.failures[0]?.message).toContain(
      'line 1 conflicts with a row that is there already (key a, b)',
    );
    expect(await notes()).toEqual(['null', 'old', 'same']);
  });

  test('a column that is not there, a key that the archive lacks, and rows that share a key are refused', async () => {
    await site.pg.query(`${columns}; insert into items values (1, 1, 'one'), (1, 1, 'two')`);
    await expect(site.restore('items', { keyColumns: ['a', 'nope'] })).rejects.toMatchObject({
      code: 'InputInvalid',
      message: expect.stringContaining('nope'),
    });
    const options: Options = { conflictStrategy: 'overwrite', keyColumns: ['a', 'b'] };
    const [twins, lacking] = await load([[{ a: 1, b: 1, note: 'x' }], [{ a: 1, note: 'x' }]], options);
    expect(twins?.failures).toMatchObject([
      { code: 'ConflictFound', message: expect.stringContaining('several rows') },
    ]);
    expect(lacking?.failures).toMatchObject([
      { code: 'SchemaIncompatible', message: expect.stringContaining('no column b') },
    ]);
    expect(await notes()).toEqual(['one', 'two']);
  });

  test('others who write wait for the commit, so a key never comes twice', async () => {
    await site.pg.query(columns);
    const restore = await site.restore('items', { keyColumns: ['a'] });
    const archive = await site.archive(1, [{ a: 1, b: 1, note: 'archived' }]);
    const modes: unknown[] = [];
    await restore.load([archive], 0, {
      after: async (statement) => {
        if (!statement.startsWith('insert into "public"')) return;
        const { rows } = await site.pg.query(
          `select mode from pg_locks where relation = 'items'::regclass and granted and mode = 'ShareRowExclusiveLock'`,
        );
        modes.push(...rows);
      },
    }).outcome;
    expect(modes).toEqual([{ mode: 'ShareRowExclusiveLock' }]);
  });
});

test('fail names constraint, columns and the line, and no value', async () => {
  await site.pg.query(`create table items (id int, email text, note text, primary key (id));
    create unique index by_email on items (lower(email)); insert into items values (500, 'secret@x', 'old')`);
  const archive = Array.from({ length: 300 }, (_, n) => ({
    id: n,
    email: n === 211 ? 'SECRET@x' : `${n}@y`,
    note: 'n',
  }));
  for (const batchSize of [null, 50]) {
    const [outcome] = await load([archive], { conflictStrategy: 'fail', batchSize });
    const [failure] = outcome?.failures ?? [];
    expect(failure?.message).toContain(
      'line 212 conflicts with a row that is there already (constraint by_email on lower(email), SQLSTATE 23505)',
    );
    expect(failure?.hint).toMatch(/thaw show -n 212.*--conflict-strategy skip.*overwrite/s);
    expect(JSON.stringify(outcome).toLowerCase()).not.toContain('secret@x');
    await site.pg.query('truncate thaw.archives');
  }
  expect(await notes()).toEqual(['old']);
});

test('a conflict is one even where the rows before it would break a foreign key without those behind it', async () => {
  await site.pg.query(`create table items (id int primary key, parent int references items (id), note text);
    insert into items values (9, null, 'old')`);
  const archive = [
    { id: 1, parent: 2, note: 'child' },
    { id: 9, parent: null, note: 'there' },
    { id: 2, parent: null, note: 'parent' },
    { id: 3, parent: null, note: 'last' },
  ];
  const [outcome] = await load([archive], { conflictStrategy: 'fail' });
  expect(outcome).toMatchObject({
    deferred: [],
    failures: [{ code: 'ConflictFound', message: expect.stringContaining('items_pkey') }],
  });
});

test('overwrite leaves an equal row the version that it is', async () => {
  await site.pg.query(
    `create table items (id int primary key, note text); insert into items values (1, 'same'), (2, 'old')`,
  );
  const versions = async () => (await site.pg.query('select id, ctid, xmin from items order by id')).rows;
  const [before] = await versions();
  const [outcome] = await load(
    [
      [
        { id: 1, note: 'same' },
        { id: 2, note: 'new' },
      ],
    ],
    { conflictStrategy: 'overwrite' },
  );
  expect(rowsOf(outcome)).toEqual(counts(0, 1, 1));
  expect((await versions())[0]).toEqual(before);
});

test('steps of any size give what one statement gives', { timeout: 60_000 }, async () => {
  const seed = Number(process.env.THAW_SEED ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  for (let round = 0; round < 6; round++) {
    const archives = Array.from({ length: 2 }, () =>
      Array.from({ length: 1 + random.upTo(12) }, (_, n) => ({
        id: random.upTo(8),
        code: random.chance(0.2) ? null : random.upTo(12) + 100,
        note: random.chance(0.3) ? 'same' : `n${n}`,
      })),
    );
    const conflictStrategy = random.pick(conflictStrategies);
    const keyColumns = random.chance(0.4) ? ['code'] : null;
    const results: unknown[] = [];
    for (const batchSize of [null, 1 + random.upTo(5), 1 + random.upTo(5)]) {
      await site.pg.query(`drop table if exists items; truncate thaw.archives;
        create table items (id int ${keyColumns === null ? 'primary key' : ''}, code int, note text);
        insert into items values (3, 101, 'same'), (4, 102, 'old')`);
      const outcomes = await load(archives, { conflictStrategy, keyColumns, batchSize });
      const { rows } = await site.pg.query('select * from items order by id, code, note');
      results.push({ rows, outcomes });
    }
    const setting = `THAW_SEED=${seed}, round ${round}: ${conflictStrategy} by ${keyColumns ?? 'id'}`;
    expect(results[1], setting).toEqual(results[0]);
    expect(results[2], setting).toEqual(results[0]);
  }
});

test('rows that others change meanwhile end as if one had come after the other', {
  timeout: 60_000,
}, async () => {
  await site.pg.query('create table items (id int primary key, note text)');
  let ended = false;
  const churn = (async () => {
    for (let n = 0; !ended; n++) {
      const id = n % 20;
      await site.pg.query(
        n % 3 === 0
          ? `delete from items where id = ${id}`
          : `insert into items values (${id}, 'mine') on conflict (id) do update set note = 'mine'`,
      );
    }
  })();
  const restores = ['skip', 'overwrite'] as const;
  for (const conflictStrategy of restores) {
    const restore = await site.restore('items', { conflictStrategy });
    for (let place = 0; place < 8; place++) {
      const archive = await site.archive(
        place + 1,
        Array.from({ length: 40 }, (_, n) => ({ id: n, note: 'archived' })),
      );
      for (let attempt = 1; ; attempt++) {
        try {
          const outcome = await restore.load([archive], place, { attempt }).outcome;
          expect(outcome.failures).toEqual([]);
          const { inserted, updated, skipped } = outcome.tally.rows;
          expect(inserted + updated + skipped).toBe(40);
          break;
        } catch (error) {
          if (!(error instanceof ThawError && error.retryable) || attempt > 20) throw error;
        }
      }
    }
    await site.pg.query('update thaw.targets set released_at = now()');
    await site.pg.query('truncate thaw.archives');
  }
  ended = true;
  await churn;
  const { rows } = await site.pg.query(
    `select count(distinct id) = count(*) as sound, count(*) filter (where id >= 20 and note = 'archived') as others from items`,
  );
  expect(rows).toEqual([{ sound: true, others: 20 }]);
});

describe('--disable-triggers', () => {
  const touch = `create or replace function touch() returns trigger language plpgsql as $$
      begin new.note := 'touched'; return new; end $$;
    create or replace function noted() returns trigger language plpgsql as $$
      begin insert into log values (tg_name); return null; end $$;
    create table log (name text);`;
  const states = async () =>
    (
      await site.pg.query(
        `select tgrelid::regclass::text as table, tgname as name, tgenabled as state from pg_trigger
       where tgrelid::regclass::text like 'items%' and not tgisinternal order by 1, 2`,
      )
    ).rows;

  test('none fires, foreign keys hold, and each is again as it was, also after a failure', async () => {
    await site.pg.query(`${touch}
      create table items (id int primary key, parent int references items (id) deferrable initially deferred, note text);
      create trigger t_origin before insert or update on items for each row execute function touch();
      create trigger t_always before insert or update on items for each row execute function touch();
      create trigger t_replica before insert on items for each row execute function touch();
      create trigger t_off before insert on items for each row execute function touch();
      create trigger t_statement after insert on items for each statement execute function noted();
      alter table items enable always trigger t_always, enable replica trigger t_replica, disable trigger t_off`);
    const before = await states();
    const options = { disableTriggers: true };
    const [restored, orphan] = await load(
      [
        [
          { id: 1, parent: 2, note: 'a' },
          { id: 2, parent: null, note: 'b' },
        ],
        [{ id: 3, parent: 99, note: 'c' }],
      ],
      options,
    );
    expect(rowsOf(restored)).toEqual(counts(2, 0, 0));
    expect(orphan?.deferred).toHaveLength(1);
    expect(await notes()).toEqual(['a', 'b']);
    expect((await site.pg.query('select * from log')).rows).toEqual([]);
    expect(await states()).toEqual(before);
    // Without it they fire, and that is said.
    await site.pg.query('truncate thaw.archives');
    await load([[{ id: 4, parent: null, note: 'd' }]]);
    expect(await notes()).toContain('touched');
    expect(await notices()).toEqual([
      expect.stringMatching(/t_always, t_origin, t_statement\. --disable-triggers/),
    ]);
    expect(await notices({ disableTriggers: true })).toEqual([]);
  });

  test('nobody else ever sees them disabled, and a session that dies leaves them as they were', async () => {
    await site.pg.query(`${touch} create table items (id int primary key, note text);
      create trigger t before insert on items for each row execute function touch()`);
    const before = await states();
    const restore = await site.restore('items', { disableTriggers: true });
    const archive = await site.archive(1, [{ id: 1, note: 'a' }]);
    const seen: unknown[] = [];
    const died = restore.load([archive], 0, {
      after: async (statement) => {
        if (!statement.startsWith('insert into "public"')) return;
        seen.push(await states());
        await site.pg.query(
          `select pg_terminate_backend(pid) from pg_stat_activity 
           where datname = current_database() and application_name like 'thaw/%'`,
        );
      },
    });
    await expect(died.outcome).rejects.toMatchObject({ retryable: true });
    expect(seen).toEqual([before]);
    expect(await states()).toEqual(before);
    await restore.load([archive], 0, { attempt: 2 }).outcome;
    expect(await notes()).toEqual(['a']);
    expect(await states()).toEqual(before);
  });

  test('partitions keep states of their own', async () => {
    await site.pg.query(`${touch} create table items (id int, note text) partition by list (id);
      create table items_1 partition of items for values in (1);
      create table items_2 partition of items for values in (2);
      create trigger t before insert on items for each row execute function touch();
      create trigger own before insert on items_2 for each row execute function touch();
      alter table items_1 disable trigger t; alter table items_2 enable always trigger t`);
    const before = await states();
    const [outcome] = await load(
      [
        [
          { id: 1, note: 'a' },
          { id: 2, note: 'b' },
        ],
      ],
      { disableTriggers: true },
    );
    expect(rowsOf(outcome)).toEqual(counts(2, 0, 0));
    expect(await notes()).toEqual(['a', 'b']);
    expect(await states()).toEqual(before);
  });
});

describe('as a user who is not the owner', () => {
  const role = `thaw_keys_${process.pid}`;
  beforeAll(async () => {
    await asAdministrator(`create role ${role}`);
    await site.pg.query(
      `grant usage on schema thaw, public to ${role}; grant all on all tables in schema thaw to ${role}`,
    );
  });
  afterAll(async () => {
    await site.pg.query(`drop table if exists items; drop owned by ${role}`);
    await asAdministrator(`drop role ${role}`);
  });

  /** Loads as that user. */
  async function loadAs(rows: readonly ArchivedRow[], options: Options = {}): Promise<LoadOutcome> {
    await site.pg.query(`set role ${role}`);
    try {
      const restore = await site.restore('items', options);
      return await restore.load([await site.archive(1, rows)], 0, { role }).outcome;
    } finally {
      await site.pg.query('reset role; update thaw.targets set released_at = now(); truncate thaw.archives');
    }
  }

  test('row-level security lets in what its policies allow, counted, and names what they refuse', async () => {
    await site.pg.query(`create table items (id int primary key, note text); insert into items values (1, 'old');
      grant all on items to ${role}; alter table items enable row level security;
      create policy allowed on items using (true) with check (note <> 'forbidden')`);
    expect(
      rowsOf(
        await loadAs([
          { id: 1, note: 'new' },
          { id: 2, note: 'b' },
        ]),
      ),
    ).toEqual(counts(1, 0, 1));
    const refused = await loadAs([{ id: 3, note: 'forbidden' }]);
    expect(refused.failures).toMatchObject([
      { code: 'RowRejected', message: expect.stringContaining('row-level security') },
    ]);
    expect(await notes()).toEqual(['b', 'old']);
    await asAdministrator(`alter role ${role} bypassrls`);
    expect(rowsOf(await loadAs([{ id: 3, note: 'forbidden' }]))).toEqual(counts(1, 0, 0));
  });

  test('triggers of another one are not disabled', async () => {
    await site.pg.query(`create table items (id int, note text); grant all on items to ${role};
      create or replace function touch() returns trigger language plpgsql as $$ begin return new; end $$;
      create trigger t before insert on items for each row execute function touch()`);
    await expect(loadAs([{ id: 1 }], { disableTriggers: true })).rejects.toMatchObject({
      code: 'PermissionDenied',
      hint: expect.stringContaining('owner'),
    });
  });
});
