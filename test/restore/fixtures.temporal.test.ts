import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqualTable, expectedCsv, loadSchema } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('fixtures');
});

afterAll(async () => {
  await thaw.close();
});

test('audit-logs comes back exactly, and a second restore loads nothing', async () => {
  await loadSchema(thaw.pg, 'audit-logs');
  await thaw.bucket.putFixture('audit-logs', undefined, thaw.database.name);

  const first = await thaw.restore(['audit_logs']);
  expect(first).toMatchObject({
    state: 'completed',
    tally: {
      archives: { restored: 9, earlier: 0, failed: 0 },
      rows: { inserted: 2500, updated: 0, skipped: 0, failed: 0 },
    },
  });
  await expectEqualTable(thaw.pg, 'public.audit_logs', expectedCsv('audit-logs', 'public.audit_logs'));

  const second = await thaw.restore(['audit_logs']);
  expect(second.tally.archives).toEqual({ restored: 0, earlier: 9, failed: 0 });
  expect(second.tally.rows).toEqual({ inserted: 0, updated: 0, skipped: 0, failed: 0 });
  await expectEqualTable(thaw.pg, 'public.audit_logs', expectedCsv('audit-logs', 'public.audit_logs'));
});

test('the sequence goes on behind the restored ids', async () => {
  const { rows } = await thaw.pg.query(
    `insert into audit_logs (action) values ('x') returning id > 2500 as behind`,
  );
  expect(rows).toEqual([{ behind: true }]);
});

test('shop comes back exactly: composite key, foreign keys, generated column, quoted names, self reference', async () => {
  await loadSchema(thaw.pg, 'shop');
  await thaw.bucket.putFixture('shop', undefined, thaw.database.name);

  const outcome = await thaw.restore(['line_items', 'tickets', 'orders']);

  expect(outcome.tables.map(({ target, error, failures }) => ({ target, error, failures }))).toEqual([
    { target: 'public.line_items', error: null, failures: [] },
    { target: 'public.tickets', error: null, failures: [] },
    { target: 'public.orders', error: null, failures: [] },
  ]);
  for (const table of ['orders', 'line_items', 'tickets']) {
    await expectEqualTable(thaw.pg, `public.${table}`, expectedCsv('shop', `public.${table}`));
  }
});

test('a table whose trigger sets a column comes back exactly without its triggers', async () => {
  await loadSchema(thaw.pg, 'edge');
  await thaw.bucket.putFixture('edge', undefined, thaw.database.name);

  const outcome = await thaw.restore(['r_trigger'], { disableTriggers: true });

  expect(outcome).toMatchObject({ state: 'completed', tables: [{ error: null, failures: [] }] });
  await expectEqualTable(thaw.pg, 'public.r_trigger', expectedCsv('edge', 'public.r_trigger'));
  const { rows } = await thaw.pg.query(`select tgenabled from pg_trigger where tgname = 'r_touch_t'`);
  expect(rows).toEqual([{ tgenabled: 'O' }]);
});
