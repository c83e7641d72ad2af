import { expect, it } from 'vitest';
import { summaryLines } from '../../src/cli/summary.ts';
import { failure, outcome, table, tableError } from './outcome.ts';

it('ends with the documented lines', () => {
  const rows = { inserted: 1_034_000, updated: 1_000, skipped: 0, failed: 0 };
  expect(summaryLines(outcome('completed', table({ restored: 1035, rows })))).toEqual([
    'Restore Summary:',
    '  Files processed: 1035',
    '  Files failed: 0',
    '  Records restored: 1,035,000',
    '  Records skipped: 0',
    '  Records failed: 0',
  ]);
});

it('counts failed archives as processed, and tells of archives restored earlier before the block', () => {
  const ended = outcome(
    'completed_with_failures',
    table({
      restored: 2,
      earlier: 1,
      failures: [failure('ArchiveCorrupt')],
      rows: { skipped: 7, failed: 12_000 },
      notices: ['the column x is left out'],
    }),
  );
  expect(summaryLines(ended)).toEqual([
    'Note: public.t: the column x is left out',
    'Failed: a.jsonl.gz',
    '  ArchiveCorrupt: a.jsonl.gz: broken',
    '  hint: Mend it.',
    'Restored earlier: 1 archive, not loaded again',
    'Restore Summary:',
    '  Files processed: 3',
    '  Files failed: 1',
    '  Records restored: 0',
    '  Records skipped: 7',
    '  Records failed: 12,000',
  ]);
});

it('tells of tables and restores that failed as a whole', () => {
  const ended = {
    ...outcome('failed', table({ error: tableError('TargetBusy') })),
    error: tableError('ConfigInvalid'),
  };
  expect(summaryLines(ended).slice(0, 5)).toEqual([
    'Failed: table public.t',
    '  TargetBusy: public.t: no',
    '  hint: Do something.',
    'ConfigInvalid: public.t: no',
    'hint: Do something.',
  ]);
});

it('says how many more failures there are than it shows', () => {
  const failed = table({ failures: [failure('ArchiveCorrupt')] });
  const archives = { ...failed.tally.archives, failed: 1234 };
  const ended = outcome('completed_with_failures', { ...failed, tally: { ...failed.tally, archives } });
  expect(summaryLines(ended)).toContainEqual(expect.stringMatching(/^\.\.\. and 1,233 more failed archives/));
});
