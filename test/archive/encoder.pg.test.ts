import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqualTable, expectedCsv, loadExpected, loadSchema } from '../harness/fixture.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { columnsOf, restoreFixture, restoreLines } from './restore-table.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('encoder');
  client = session.client;
  await client.query(`set lc_monetary = 'C'`);
  await loadSchema(client, 'type-zoo');
});
afterAll(() => session.close());

test.for(['type_zoo', 'type_zoo_core'])('gives back every value of every type: %s', async (name) => {
  await restoreFixture(client, 'type-zoo', `zoo_db/${name}`, { name });
  await expectEqualTable(client, `public.${name}`, expectedCsv('type-zoo', `public.${name}`));
});

test('restores the rest of a row whose shapes the archiver destroyed, where that is allowed', async () => {
  const options = { unrestorable: 'null', infinity: 'map' } as const;
  await restoreFixture(client, 'type-zoo', 'zoo_db/type_zoo_lossy', { name: 'type_zoo_lossy' }, options);
  await client.query('create table source_lossy (like type_zoo_lossy including identity)');
  await loadExpected(client, 'source_lossy', expectedCsv('type-zoo', 'public.type_zoo_lossy'));
  const { rows } = await client.query(`
    select count(*)::int as rows, count(r.l_path)::int + count(r.l_polygon)::int as shapes,
      bool_and(r.l_date_inf is not distinct from s.l_date_inf) as dates,
      bool_and(r.l_ts_inf is not distinct from s.l_ts_inf) as timestamps,
      bool_and(r.l_tstz_inf is not distinct from s.l_tstz_inf) as moments,
      bool_and(r.l_tstzrange_inf is not distinct from s.l_tstzrange_inf) as ranges,
      bool_and(r.l_daterange_inf is not distinct from s.l_daterange_inf) as date_ranges,
      bool_and(r.l_interval_hours is not distinct from s.l_interval_hours) as intervals,
      bool_and(r.l_interval_neg is not distinct from s.l_interval_neg) as negative_intervals
    from type_zoo_lossy r join source_lossy s using (id)`);
  const equal = { dates: true, timestamps: true, moments: true, ranges: true, date_ranges: true };
  expect(rows).toEqual([{ rows: 8, shapes: 0, ...equal, intervals: true, negative_intervals: true }]);
});

test('refuses a value that the archiver destroyed', async () => {
  const restore = restoreFixture(client, 'type-zoo', 'zoo_db/type_zoo_lossy', { name: 'type_zoo_lossy' });
  await expect(restore).rejects.toMatchObject({ code: 'RowRejected', line: 1 });
  await expect(restore).rejects.toThrow(/l_path .*destroyed/);
});

/** A table whose values were read by the archiver's driver and written by its rules. */
async function makeExotic(into: string): Promise<void> {
  await client.query(`create schema ${into}`);
  await client.query(`set search_path to ${into}, public`);
  await client.query(await readFile(new URL('exotic/schema.sql', import.meta.url), 'utf8'));
}

test('gives back ranges, composites, shapes and arrays of them', async () => {
  const archived = await readFile(new URL('exotic/archived.jsonl', import.meta.url));
  await makeExotic('source');
  await client.query(await readFile(new URL('exotic/rows.sql', import.meta.url), 'utf8'));
  await makeExotic('target');
  // A style under which PostgreSQL reads intervals in another way.
  await client.query(`set intervalstyle = 'sql_standard'`);
  await restoreLines(client, 'target', 'exotic', archived, { infinity: 'map' }, 777);
  await client.query(`set intervalstyle = 'postgres'`);

  const columns = await columnsOf(client, 'source', 'exotic');
  for (const { name } of columns) {
    const text = async (schema: string) =>
      (
        await client.query<{ text: string }>(
          `select format('%s', "${name}") as text from ${schema}.exotic order by id`,
        )
      ).rows;
    expect({ name, rows: await text('target') }).toEqual({ name, rows: await text('source') });
  }
});

test.for([
  ['audit-logs', 'production_db', 'audit_logs'],
  ...['r_uuid_pk', 'r_text_pk', 'r_dup_nopk', 'r_part', 'r_ident_always', 'r_date_ts', 'MixedCase'].map(
    (name) => ['edge', 'edge_db', name] as const,
  ),
] as const)('gives back a whole table: %s %s %s', async ([set, database, name]) => {
  const own = await openSession('tables');
  try {
    await loadSchema(own.client, set);
    await restoreFixture(own.client, set, `${database}/${name}`, { name });
    await expectEqualTable(own.client, `public."${name}"`, expectedCsv(set, `public.${name}`));
  } finally {
    await own.close();
  }
});
