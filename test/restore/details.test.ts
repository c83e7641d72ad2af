import { describe, expect, test } from 'vitest';
import type { LoadInput, LoadOutcome } from '../../src/contract/activities.ts';
import type { ArchiveFailure } from '../../src/contract/outcome.ts';
import type { RestoreProgress, TableProgress } from '../../src/contract/progress.ts';
import { describeLoad, describeRestore, describeTable } from '../../src/restore/details.ts';
import { emptyTally } from '../../src/restore/tally.ts';

/** What the Temporal UI takes as current details. */
const limit = 16_384;

const failure: ArchiveFailure = {
  archive: 'archives/t/one.jsonl.gz',
  code: 'ChecksumMismatch',
  message: 'one.jsonl.gz: it is not\nwhat was archived',
  hint: '',
  stage: 'download',
  rows: 10,
};

const table: TableProgress = {
  target: 'public.t',
  workflowId: 'target/d/public.t',
  state: 'running',
  archives: { done: 1234, total: 5000 },
  bytes: { done: 2_097_152, total: 8_388_608 },
  tally: {
    archives: { restored: 1233, earlier: 0, failed: 1 },
    rows: { inserted: 1_035_000, updated: 2, skipped: 3, failed: 10 },
    bytes: 2_097_152,
  },
  failures: [failure],
  inFlight: ['2026-01-04T053001_batch_061..102'],
};

function load(archives: number, name: (index: number) => string): LoadInput {
  const refs = Array.from({ length: archives }, (_, index) => ({
    name: name(index),
    bytes: 2048,
    etag: '',
    metadata: 'none' as const,
  }));
  return { archives: refs, folder: 'archives/t/' } as unknown as LoadInput;
}

const outcome: LoadOutcome = { tally: emptyTally, failures: [], deferred: [], columnNotes: [] };

describe('describeTable', () => {
  test('tells how far it is, what is in flight and what failed', () => {
    expect(describeTable(table)).toBe(
      [
        '**running** `public.t`: 1,234 of 5,000 archives (24 %), 2.0 MiB of 8.0 MiB',
        '',
        'rows: 1,035,000 inserted, 2 updated, 3 skipped, 10 failed',
        '',
        'In flight: `2026-01-04T053001_batch_061..102`',
        '',
        '1 failed archive:',
        '',
        '* **ChecksumMismatch** one.jsonl.gz: it is not what was archived',
      ].join('\n'),
    );
  });

  test('names the archive of a failure where its message does not', () => {
    const failures = [{ ...failure, message: 'it is not what was archived' }];
    expect(describeTable({ ...table, failures })).toContain(
      '* **ChecksumMismatch** `archives/t/one.jsonl.gz`: it is not what was archived',
    );
  });

  test('only what is done is 100 %', () => {
    expect(describeTable({ ...table, archives: { done: 4999, total: 5000 } })).toContain('(99 %)');
  });
});

describe('describeLoad', () => {
  const input = load(3, (index) => `${index}.jsonl.gz`);

  test('tells of each archive what became of it', () => {
    expect(describeLoad(input, null)).toContain('3 archives being loaded');
    const told = describeLoad(input, {
      ...outcome,
      tally: { ...emptyTally, archives: { restored: 1, earlier: 0, failed: 1 } },
      failures: [{ ...failure, archive: 'archives/t/0.jsonl.gz' }],
      deferred: [{ index: 2, failure }],
    });
    expect(told.split('\n').slice(2)).toEqual([
      '* `0.jsonl.gz` 2.0 KiB: **ChecksumMismatch** one.jsonl.gz: it is not what was archived',
      '* `1.jsonl.gz` 2.0 KiB: done',
      '* `2.jsonl.gz` 2.0 KiB: waits for rows of other archives',
    ]);
  });

  test('does not call done what may have failed', () => {
    const tally = { ...emptyTally, archives: { restored: 1, earlier: 0, failed: 2 } };
    expect(describeLoad(input, { ...outcome, tally })).not.toMatch(/: done$/m);
  });
});

describe('stays below 16 KB', () => {
  const long = 'ü'.repeat(900);
  const failures = Array.from({ length: 20 }, () => ({ ...failure, archive: long, message: long }));
  const failing = {
    ...table,
    failures,
    tally: { ...table.tally, archives: { restored: 0, earlier: 0, failed: 20 } },
  };

  test.each([
    [
      'a load of many archives',
      describeLoad(
        load(250, (index) => long + index),
        null,
      ),
    ],
    ['a table with long failures', describeTable(failing)],
    [
      'a table with many lanes',
      describeTable({ ...failing, inFlight: Array.from({ length: 64 }, () => 'x'.repeat(100)) }),
    ],
    [
      'a restore of many tables',
      describeRestore(
        {
          state: 'running',
          database: 'd',
          reason: long,
          tally: failing.tally,
          failures,
          tables: Array.from({ length: 3000 }, (_, index) => ({
            ...table,
            target: `public.${long}${index}`,
          })),
        } as unknown as RestoreProgress,
        Array.from({ length: 3000 }, () => long),
      ),
    ],
  ])('%s', (_, details) => {
    expect(Buffer.byteLength(details)).toBeLessThan(limit);
    expect(details).toMatch(/and [\d,]+ more|20 failed archives/);
  });
});
