import { expect, test } from 'vitest';
import { withChecksum } from '../../../src/dump/verify/check-checksum.ts';
import { reportLines } from '../../../src/dump/verify/report-lines.ts';

const facts = {
  database: 'argus_db',
  oid: 1,
  serverVersion: '15.18',
  bytes: 8_388_608,
  tables: 3,
  rows: 1234,
  estimated: 0,
};

test('a report shows before, dump and after of each table, marks what differs, and tells each check', () => {
  const lines = reportLines({
    outcome: 'failed',
    checks: [
      { name: 'connectivity', outcome: 'passed', detail: 'argus_db answers.' },
      { name: 'rows', outcome: 'failed', detail: 'Other than in the dump: public.users has 1,199.' },
      { name: 'check 1', outcome: 'skipped', detail: 'Not asked.' },
    ],
    tables: [
      { table: 'public.users', before: 1201, beforeIsEstimate: true, dump: 1200, after: 1199 },
      { table: 'public.tokens', before: null, beforeIsEstimate: false, dump: 35, after: 35 },
    ],
    before: { ...facts, estimated: 1 },
    after: facts,
  });
  expect(lines).toEqual([
    'Before: PostgreSQL 15.18, 8.0 MiB, 1,234 rows in 3 tables, 1 of them not counted',
    'After: PostgreSQL 15.18, 8.0 MiB, 1,234 rows in 3 tables',
    '  Table          Before   Dump  After',
    '  public.users   ~1,201  1,200  1,199  <- differs from the dump',
    '  public.tokens       -     35     35',
    '  ... and 1 more',
    'Checks:',
    '  ok       connectivity  argus_db answers.',
    '  FAILED   rows          Other than in the dump: public.users has 1,199.',
    '  skipped  check 1       Not asked.',
    'Failed: database argus_db',
  ]);
});

test('nothing is called verified whose bytes no checksum proves', () => {
  const report = { outcome: 'verified', checks: [], tables: [], before: null, after: facts } as const;
  const last = (checksum: string | null) => reportLines(withChecksum(report, { checksum })).slice(-2);
  expect(last('gzip')).toEqual(['Checks:', 'Verified: database argus_db']);
  expect(last(null)).toEqual([
    expect.stringMatching(/^ {2}warning {2}checksum {2}The dump is whole, but not proved by a checksum: /),
    'As the dump has it, which is not proved by a checksum: database argus_db',
  ]);
});
