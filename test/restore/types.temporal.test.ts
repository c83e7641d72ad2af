import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqualTable, expectedCsv, loadSchema } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('zoo');
  await loadSchema(thaw.pg, 'type-zoo');
  await thaw.bucket.putFixture('type-zoo', undefined, thaw.database.name);
  await loadSchema(thaw.pg, 'edge');
  await thaw.bucket.putFixture('edge', undefined, thaw.database.name);
});

afterAll(async () => {
  await thaw.close();
});

test.each(['type_zoo_core', 'type_zoo'])('%s comes back exactly', async (table) => {
  const outcome = await thaw.restore([table]);
  expect(outcome.tables[0]).toMatchObject({ error: null, failures: [] });
  await expectEqualTable(thaw.pg, `public.${table}`, expectedCsv('type-zoo', `public.${table}`));
});

const edgeTables = [
  'r_uuid_pk',
  'r_text_pk',
  'MixedCase',
  'r_dup_nopk',
  'r_part',
  'r_ident_always',
  'r_date_ts',
];

test.each(edgeTables)('%s comes back exactly', async (table) => {
  const outcome = await thaw.restore([table]);
  expect(outcome.tables[0]).toMatchObject({ error: null, failures: [] });
  await expectEqualTable(thaw.pg, `public."${table}"`, expectedCsv('edge', `public.${table}`));
});
