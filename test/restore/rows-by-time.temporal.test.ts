import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqualTable, expectedCsv, loadExpected, loadSchema } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('rows_by_time');
  await loadSchema(thaw.pg, 'audit-logs');
  await thaw.bucket.putFixture('audit-logs', undefined, thaw.database.name);
  await thaw.pg.query('create table expected (like audit_logs)');
  await loadExpected(thaw.pg, 'expected', expectedCsv('audit-logs', 'public.audit_logs'));
});

afterAll(async () => {
  await thaw.close();
});

test('the rows of some days come back, no others, and a full restore brings the rest', async () => {
  const range = { rowsFrom: '2025-10-01', rowsTo: '2025-10-31' };
  const part = await thaw.restore(['audit_logs'], range);

  const inOctober = `created_at >= '2025-10-01' and created_at < '2025-11-01'`;
  const { rows } = await thaw.pg.query<{ rows: number }>(
    `select count(*)::int as rows from expected where ${inOctober}`,
  );
  const october = rows[0]?.rows ?? 0;
  expect(october).toBeGreaterThan(500);
  expect(part).toMatchObject({
    state: 'completed',
    tally: {
      archives: { restored: 9, earlier: 0, failed: 0 },
      rows: { inserted: october, updated: 0, skipped: 0, failed: 0 },
    },
    tables: [{ columnNotes: [{ column: 'created_at', kind: 'out_of_range', values: 2500 - october }] }],
  });
  const difference = await thaw.pg.query(
    `(table audit_logs except select * from expected where ${inOctober})
     union all (select * from expected where ${inOctober} except table audit_logs)`,
  );
  expect(difference.rows).toEqual([]);

  const whole = await thaw.restore(['audit_logs']);
  expect(whole.tally).toMatchObject({
    archives: { restored: 9, earlier: 0 },
    rows: { inserted: 2500 - october, skipped: october },
  });
  await expectEqualTable(thaw.pg, 'public.audit_logs', expectedCsv('audit-logs', 'public.audit_logs'));
});

test('a time that is none is told before anything is loaded', async () => {
  const outcome = await thaw.restore(['audit_logs'], { rowsFrom: '2025-02-30' });
  expect(outcome.tables[0]?.error).toMatchObject({
    code: 'InputInvalid',
    message: '--rows-from: must be a time (got "2025-02-30")',
  });
  expect(outcome.tally.archives).toEqual({ restored: 0, earlier: 0, failed: 0 });
});
