import { Readable } from 'node:stream';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SnapshotDifference } from '../../../src/contract/snapshot-difference.ts';
import { inTransaction } from '../../../src/postgres/transaction.ts';
import { mergeTables } from '../../../src/snapshot/merge/merge-tables.ts';
import { diffTables } from '../../../src/snapshot/merge/preview-tables.ts';
import { openSession, type Session } from '../../postgres/session.ts';
import {
  changed,
  consistent,
  type ModelMerge,
  type ModelRow,
  type ModelShape,
  merged,
  tableSql,
} from './merge-model.ts';
import { rowsOf, stagedTable } from './merge-site.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('snapshot_model');
  client = session.client;
});
afterAll(() => session.close());

const orNull = (...values: readonly string[]) => fc.constantFrom(null, ...values);
const rows: fc.Arbitrary<readonly ModelRow[]> = fc.array(
  fc.record({
    id: fc.constantFrom('1', '1.0', '2', '2.00', '3', '4', '5', '6'),
    tenant: fc.constantFrom('a', 'a', 'b'),
    seat: orNull('1', '2', '3', '4', '5', '6'),
    at: orNull('1', '2', '3'),
    note: orNull('1', '"x"', '{"a":  1}'),
  }),
  { maxLength: 12 },
);
const shapes: fc.Arbitrary<ModelShape> = fc.record({
  key: fc.constantFrom('primary', 'composite', 'deferrable', 'none'),
  seat: fc.constantFrom('free', 'unique', 'deferrable', 'expression'),
  partitioned: fc.boolean(),
});
const merges: fc.Arbitrary<ModelMerge> = fc.record({
  tenant: fc.constantFrom(null, 'a'),
  newer: fc.boolean(),
});

async function fill(table: string, content: readonly ModelRow[]): Promise<void> {
  await client.query(
    `insert into ${table} (id, tenant, seat, at, note)
     select id::numeric, tenant, seat, at, note::json
     from json_to_recordset($1::json) as row (id text, tenant text, seat int, at int, note text)`,
    [JSON.stringify(content)],
  );
}

async function makeTables(
  shape: ModelShape,
  live: readonly ModelRow[],
  staged: readonly ModelRow[],
): Promise<void> {
  await client.query(`
    drop schema if exists stage cascade; create schema stage;
    drop schema if exists expected cascade; create schema expected;
    drop schema public cascade; create schema public;
    ${tableSql('public', shape)};
    create unlogged table stage.model (like public.model);
    create table expected.model (like public.model)`);
  await fill('public.model', live);
  await fill('stage.model', staged);
}

async function expectRows(expected: readonly ModelRow[]): Promise<void> {
  await fill('expected.model', expected);
  expect(await rowsOf(client, 'public.model')).toEqual(await rowsOf(client, 'expected.model'));
}

test('tables become what a model in memory says, or stay as they were', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, merges, rows, rows, fc.boolean(), async (shape, asked, before, after, isOwn) => {
      const merge = { ...asked, newer: asked.newer && shape.key !== 'none' };
      const staged = consistent(before, shape).filter(
        (row) => !isOwn || row.tenant === (asked.tenant ?? row.tenant),
      );
      const live = consistent(after, shape);
      const expected = merged(live, staged, shape, merge);
      await makeTables(shape, live, staged);
      const tenant = merge.tenant === null ? null : { column: 'tenant', value: merge.tenant };
      const tables = [await stagedTable(client, 'model', { tenant, newerBy: merge.newer ? 'at' : null })];
      const result = inTransaction(client, () => mergeTables(client, tables));
      if (expected === null) await expect(result).rejects.toMatchObject({ code: 'ConflictFound' });
      else await result;
      await expectRows(expected ?? live);
    }),
    { numRuns: 50 },
  );
});

test('differences that are chosen, and no others, are taken, or none of them', async () => {
  const bits = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(shapes, rows, rows, bits, async (anyShape, before, after, takes) => {
      const shape = anyShape.key === 'none' ? { ...anyShape, key: 'primary' as const } : anyShape;
      const live = consistent(after, shape);
      await makeTables(shape, live, consistent(before, shape));
      const tables = [await stagedTable(client, 'model')];
      const all: SnapshotDifference[] = [];
      await diffTables(client, tables, {
        onToken: async () => {},
        onDifferences: async (some) => void all.push(...some),
      });
      const chosen = all.filter((_, place) => takes[place % takes.length]);
      const expected = changed(live, chosen, shape);
      const result = inTransaction(client, () =>
        mergeTables(client, tables, { chosen: Readable.from([chosen]) }),
      );
      if (expected === null) await expect(result).rejects.toMatchObject({ code: 'ConflictFound' });
      else await result;
      await expectRows(expected ?? live);
    }),
    { numRuns: 25 },
  );
});
