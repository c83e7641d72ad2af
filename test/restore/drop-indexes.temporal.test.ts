import { afterAll, beforeAll, expect, test } from 'vitest';
import { worthDropping } from '../../src/restore/index-drop.ts';
import { writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('indexes');
});

afterAll(async () => {
  await thaw.close();
});

test('what pays: archives that bring half of what is there', () => {
  expect(worthDropping(0)).toBe(0);
  expect(worthDropping(10_000_000)).toBe(1_000_000);
});

test('a table that is mostly full keeps its indexes, unless they are to be dropped anyhow', async () => {
  await thaw.pg.query(`
    create table full_one (id int primary key, note text);
    insert into full_one select n, repeat('x', 100) from generate_series(1, 5000) as n;
    create index full_one_note on full_one (note);
    create table empty_one (id int primary key, note text);
    create index empty_one_note on empty_one (note)`);
  await archive('full_one', 1);
  await archive('empty_one', 1);

  const kept = await thaw.restore(['full_one', 'empty_one'], { dropIndexes: 'when_it_pays' });

  expect(kept.tables.find(({ target }) => target === 'public.full_one')?.notices).toEqual([
    expect.stringMatching(
      /^The indexes of public\.full_one stay: the table has .* KiB, and the archives bring .* compressed, .*--drop-indexes=always/,
    ),
  ]);
  expect(kept.tables.find(({ target }) => target === 'public.empty_one')?.notices).toEqual([]);
  expect(await droppedOf('full_one')).toEqual([]);
  expect(await droppedOf('empty_one')).toEqual([{ name: 'empty_one_note', rebuilt: true }]);

  // Nothing is left to restore, so nothing could pay for it.
  await thaw.pg.query('delete from thaw.dropped_indexes; analyze empty_one');
  const again = await thaw.restore(['empty_one'], { dropIndexes: 'when_it_pays' });
  expect(again.tally.archives).toEqual({ restored: 0, earlier: 1, failed: 0 });
  expect(await droppedOf('empty_one')).toEqual([]);

  await archive('full_one', 2);
  const forced = await thaw.restore(['full_one'], { dropIndexes: 'always' });

  expect(forced.tables[0]?.notices).toEqual([]);
  expect(await droppedOf('full_one')).toEqual([{ name: 'full_one_note', rebuilt: true }]);
  expect(await indexesOf('full_one')).toEqual(['full_one_note', 'full_one_pkey']);
});

test('an index that cannot be built is told with its statement, and the next restore builds it', async () => {
  await thaw.pg.query(`
    create function strict_length(text) returns int immutable language plpgsql
      as $$ begin return 1 / position('n' in $1); end $$;
    create table failing (id int primary key, note text);
    create index failing_length on failing (strict_length(note))`);
  await archive('failing', 1, 'bad');

  const first = await thaw.restore(['failing'], { dropIndexes: 'always' });

  expect(first).toMatchObject({ state: 'completed', tally: { rows: { inserted: 1 } } });
  expect(first.tables[0]?.notices).toEqual([
    expect.stringContaining('run: CREATE INDEX failing_length ON public.failing USING btree'),
  ]);
  expect(await droppedOf('failing')).toEqual([{ name: 'failing_length', rebuilt: false }]);

  await thaw.pg.query(`
    create or replace function strict_length(text) returns int immutable language plpgsql
      as $$ begin return length($1); end $$`);
  await archive('failing', 2, 'good');
  const second = await thaw.restore(['failing']);

  expect(second.tables[0]?.notices).toEqual([]);
  expect(await droppedOf('failing')).toEqual([{ name: 'failing_length', rebuilt: true }]);
  expect(await indexesOf('failing')).toEqual(['failing_length', 'failing_pkey']);
});

async function archive(table: string, batch: number, note = 'new'): Promise<void> {
  await writeArchive(thaw.bucket.put, {
    database: thaw.database.name,
    table,
    archivedAt: '2026-01-04T05:20:21+00:00',
    batch,
    rows: [{ id: 1_000_000 + batch, note }],
    primaryKey: 'id',
  });
}

async function droppedOf(table: string): Promise<unknown[]> {
  const { rows } = await thaw.pg.query(
    `select index_name as name, rebuilt_at is not null as rebuilt from thaw.dropped_indexes
     where target_oid = $1::regclass`,
    [table],
  );
  return rows;
}

async function indexesOf(table: string): Promise<string[]> {
  const { rows } = await thaw.pg.query<{ name: string }>(
    'select indexname as name from pg_indexes where tablename = $1 order by indexname',
    [table],
  );
  return rows.map(({ name }) => name);
}
