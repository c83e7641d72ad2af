import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { expectedCsv, loadExpected, loadSchema } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('unrestorable');
  await loadSchema(thaw.pg, 'type-zoo');
  await thaw.bucket.putFixture('type-zoo', undefined, thaw.database.name);
  await loadSchema(thaw.pg, 'edge');
  await thaw.bucket.putFixture('edge', undefined, thaw.database.name);
  // What must come back: the source rows, but for what no archive holds.
  await thaw.pg.query('create table expected_lossy (like type_zoo_lossy including identity)');
  await loadExpected(thaw.pg, 'expected_lossy', expectedCsv('type-zoo', 'public.type_zoo_lossy'));
  await thaw.pg.query(`
    update expected_lossy set l_path = null, l_polygon = null,
      l_arr_bounds = case when l_arr_bounds is not null then array(select unnest(l_arr_bounds)) end,
      l_timetz_sec = case when l_timetz_sec is not null then '12:00:00+05:30'::timetz end`);
});

afterAll(async () => {
  await thaw.close();
});

const asText = [
  'date_inf',
  'ts_inf',
  'tstz_inf',
  'path',
  'polygon',
  'arr_bounds',
  'timetz_sec',
  'tstzrange_inf',
  'daterange_inf',
]
  .map((name) => `l_${name}::text`)
  .concat(['id', 'created_at', ...['hours', 'neg'].map((name) => `extract(epoch from l_interval_${name})`)])
  .join(', ');

async function restore(table: string, options: Partial<RestoreOptions>) {
  const { state, tables } = await thaw.restore([table], options);
  return { state, ...tables[0] };
}

/** Rows of each of two tables that the other does not have; intervals without months, which no archive holds, by their lengths. */
async function differences(one: string, other: string): Promise<unknown[]> {
  const { rows } = await thaw.pg.query(
    `with one as (select ${asText} from ${one}), other as (select ${asText} from ${other})
     (select 'missing' as what, * from (table one except all table other) as missing)
     union all (select 'surplus', * from (table other except all table one) as surplus)`,
  );
  return rows;
}

test('values that the archiver destroyed fail their archive, or are NULL and counted by column', async () => {
  const refused = await restore('type_zoo_lossy', {});
  expect(refused).toMatchObject({
    state: 'completed_with_failures',
    failures: [
      {
        code: 'RowRejected',
        message: expect.stringMatching(/Line 1, byte 0 of .*: column l_path .*destroyed/),
      },
    ],
  });
  expect(refused.failures?.[0]?.hint).toContain('--unrestorable null');

  const mapped = await restore('type_zoo_lossy', { unrestorable: 'null', infinity: 'map' });
  expect(mapped).toMatchObject({ state: 'completed', tally: { rows: { inserted: 8 } } });
  expect(new Set(mapped.columnNotes)).toEqual(
    new Set([
      { column: 'l_path', kind: 'unrestorable', values: 3 },
      { column: 'l_polygon', kind: 'unrestorable', values: 3 },
      { column: 'l_date_inf', kind: 'infinity_mapped', values: 3 },
      { column: 'l_ts_inf', kind: 'infinity_mapped', values: 3 },
      { column: 'l_daterange_inf', kind: 'infinity_mapped', values: 2 },
    ]),
  );
  expect(mapped.notices).toContain('Column l_path: 3 values destroyed by the archiver and restored as NULL.');
  expect(await differences('expected_lossy', 'type_zoo_lossy')).toEqual([]);
});

test('the ends of the calendar are restored as archived where infinity is not asked for, and counted', async () => {
  await thaw.pg.query('truncate type_zoo_lossy');
  const kept = await restore('type_zoo_lossy', { unrestorable: 'null', ignoreWatermark: true });
  expect(kept.state).toBe('completed');
  expect(kept.columnNotes).toContainEqual({ column: 'l_ts_inf', kind: 'infinity_kept', values: 3 });
  await thaw.pg.query(`
    create table expected_kept as table expected_lossy;
    update expected_kept set
      l_date_inf = case l_date_inf when 'infinity' then '9999-12-31' when '-infinity' then '0001-01-01' end::date,
      l_ts_inf = case l_ts_inf
        when 'infinity' then '9999-12-31 23:59:59.999999' when '-infinity' then '0001-01-01' end::timestamp,
      l_daterange_inf = case when l_daterange_inf is not null then '[0001-01-01,9999-12-31)' end::daterange`);
  expect(await differences('expected_kept', 'type_zoo_lossy')).toEqual([]);
});

test('a destroyed value that may not be NULL fails its archive and names the column', async () => {
  await thaw.pg.query('truncate type_zoo_lossy; alter table type_zoo_lossy alter l_path set not null');
  const { failures } = await restore('type_zoo_lossy', { unrestorable: 'null', ignoreWatermark: true });
  expect(failures).toMatchObject([
    { code: 'RowRejected', message: expect.stringContaining('column l_path'), rows: 8 },
  ]);
});

test('a column that the archiver wrote its own values over is refused, or left to its default and counted', async () => {
  const refused = await restore('r_meta_clash', {});
  expect(refused).toMatchObject({
    state: 'failed',
    error: { code: 'SchemaIncompatible', message: expect.stringContaining('_batch_id') },
  });
  expect(refused.error?.hint).toContain('--unrestorable null');

  await thaw.pg.query('alter table r_meta_clash alter _batch_id set not null');
  expect((await restore('r_meta_clash', { unrestorable: 'null' })).error).toMatchObject({
    code: 'SchemaIncompatible',
    message: expect.stringContaining('_batch_id must have a value'),
  });

  await thaw.pg.query(`alter table r_meta_clash alter _batch_id set default 'unknown'`);
  const restored = await restore('r_meta_clash', { unrestorable: 'null' });
  expect(restored).toMatchObject({
    state: 'completed',
    columnNotes: [{ column: '_batch_id', kind: 'overwritten', values: 1 }],
  });
  const { rows } = await thaw.pg.query('select id, _batch_id, v, created_at from r_meta_clash');
  expect(rows).toEqual([
    { id: 1, _batch_id: 'unknown', v: 'x', created_at: new Date('2025-01-01T00:00:00Z') },
  ]);
});
