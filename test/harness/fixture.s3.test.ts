import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectEqualTable,
  expectedCsv,
  type FixtureSet,
  fixtureObjects,
  loadExpected,
  loadSchema,
} from './fixture.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { createTestBucket } from './s3.ts';

describe('test bucket', () => {
  test('holds the objects of a set under their exact keys', async () => {
    const bucket = await createTestBucket();
    await bucket.putFixture('shop');
    const expected = (await fixtureObjects('shop')).map(({ key }) => key).sort();
    expect((await bucket.keys()).sort()).toEqual(expected);
    expect(expected).toHaveLength(58);
    await bucket.remove();
    await expect(bucket.keys()).rejects.toThrow();
  });

  test('takes only the part of a set that was asked for', async () => {
    const bucket = await createTestBucket();
    await bucket.putFixture('shop', 'archives/shop_db/tickets/');
    const keys = await bucket.keys();
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !key.startsWith('archives/shop_db/tickets/'))).toEqual([]);
    await bucket.remove();
  });
});

const tables: [FixtureSet, string, string][] = [
  ['audit-logs', 'public.audit_logs', 'public.audit_logs'],
  ['shop', 'public.orders', 'public.orders'],
  ['shop', 'public.tickets', 'public.tickets'],
  ['type-zoo', 'public.type_zoo', 'public.type_zoo'],
  ['type-zoo', 'public.type_zoo_lossy', 'public.type_zoo_lossy'],
  ['edge', 'public."MixedCase"', 'public.MixedCase'],
  ['edge', 'public.r_part', 'public.r_part'],
];

describe('expectEqualTable', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase('harness');
  });
  afterAll(() => database.drop());

  test.each(tables)('finds the expected rows of %s %s equal to themselves', async (set, table, file) => {
    const own = await createTestDatabase('harness');
    const client = await own.client();
    await loadSchema(client, set);
    await loadExpected(client, table, expectedCsv(set, file));
    await expectEqualTable(client, table, expectedCsv(set, file));
    const { rows } = await client.query(`select tableoid, ctid from ${table} limit 1`);
    await client.query(`delete from ${table} where tableoid = $1 and ctid = $2`, [
      rows[0].tableoid,
      rows[0].ctid,
    ]);
    await expect(expectEqualTable(client, table, expectedCsv(set, file))).rejects.toThrow('1 rows missing');
    await own.drop();
  });

  test('accepts equal rows, and tells missing, surplus and changed ones', async () => {
    const client = await database.client();
    const csv = expectedCsv('edge', 'public.r_dup_nopk');
    await loadSchema(client, 'edge');
    await expect(expectEqualTable(client, 'public.r_dup_nopk', csv)).rejects.toThrow(
      '4 rows missing, 0 rows too many',
    );
    await client.query(`insert into public.r_dup_nopk values
      (1, '2025-01-01Z', 'a'), (1, '2025-01-01Z', 'a'), (2, '2025-01-02Z', 'b'), (3, '2025-01-03Z', 'c')`);
    await expectEqualTable(client, 'public.r_dup_nopk', csv);
    await client.query(`insert into public.r_dup_nopk values (1, '2025-01-01Z', 'a')`);
    await expect(expectEqualTable(client, 'public.r_dup_nopk', csv)).rejects.toThrow(
      /0 rows missing, 1 rows too many\n {2}surplus: id 1/,
    );
    await client.query(`delete from public.r_dup_nopk where id = 1`);
    await client.query(
      `insert into public.r_dup_nopk values (1, '2025-01-01Z', 'a'), (1, '2025-01-01Z', 'a')`,
    );
    await client.query(`update public.r_dup_nopk set v = 'x' where id = 3`);
    await expect(expectEqualTable(client, 'public.r_dup_nopk', csv)).rejects.toThrow(
      'differs: id 3: v should be "c" and is "x"',
    );
  });
});
