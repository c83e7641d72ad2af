import { describe, expect, test } from 'vitest';
import type { LoadInput, LoadOutcome } from '../../src/contract/activities.ts';
import type { DrillReport } from '../../src/contract/drill.ts';
import type { ArchiveFailure } from '../../src/contract/outcome.ts';
import type { RestoreProgress, TableProgress } from '../../src/contract/progress.ts';
import type { SnapshotOutcome } from '../../src/contract/snapshot.ts';
import type { SnapshotProgress } from '../../src/contract/snapshot-restore.ts';
import { describeLoad, describeRestore, describeTable } from '../../src/restore/details.ts';
import { describeDrill } from '../../src/restore/drill-details.ts';
import { describeSnapshot } from '../../src/restore/snapshot-details.ts';
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

describe('describeRestore', () => {
  test('has no table where there are no tables, as of a bundle', () => {
    const progress = { state: 'completed', database: 'd', reason: null, tally: emptyTally, tables: [] };
    const text = describeRestore({ ...progress, failures: [] } as unknown as RestoreProgress, ['one error']);
    expect(text).toBe('**completed** `d`: rows: 0 inserted, 0 updated, 0 skipped, 0 failed\n\n* one error');
  });
});

describe('describeDrill', () => {
  const report = {
    ...{ outcome: 'verified', backup: 'd/argus.sql.gz', takenAt: '2026-01-03T02:00:00.000Z', rows: 1200 },
    ...{ rtoSeconds: 100, rpoSeconds: 7200, objectives: { rtoSeconds: 90, rpoSeconds: null } },
    ...{ missed: ['rto'], error: null, leftBehind: [] },
  } as unknown as DrillReport;

  test('tells what was restored, how long that took, and whether it was in time', () => {
    expect(describeDrill('argus', 'running', null, null)).toBe('**running** drill of argus');
    expect(describeDrill('argus', 'completed', 'argus__drill_1', report).split('\n\n')).toEqual([
      '**verified** drill of argus in `argus__drill_1`',
      'Backup `d/argus.sql.gz` of 2026-01-03T02:00:00.000Z, 1,200 rows',
      'Recovery time: 1 min 40 s (objective 1 min 30 s: **missed**)',
      'Age of the backup: 2 h 0 min',
    ]);
  });

  test('tells of one that was cancelled, and of what is left', () => {
    const left = { ...report, outcome: 'inconclusive', backup: null, rtoSeconds: null, rpoSeconds: null };
    const text = describeDrill('argus', 'cancelled', 's', { ...left, leftBehind: ['s'] } as DrillReport);
    expect(text).toBe('**cancelled** drill of argus in `s`\n\nLeft behind: `s`');
  });
});

describe('describeSnapshot', () => {
  const name = { schema: 'sales', table: 'a|b' };
  const running: SnapshotProgress = {
    ...({ state: 'running', database: 'd', reason: null } as unknown as SnapshotProgress),
    source: { kind: 'stored', id: 'one' },
    strategy: 'overwrite',
    snapshotStep: 'merge',
    steps: [{ table: 'sales.a|b', status: 'staged', progress_pct: 50, eta_seconds: null }],
    keys: [{ name: 'k', table: 'sales.a|b', hold: 'taken off' }],
    locks: [
      { table: 'sales.a|b', lock: 'access exclusive', why: 'its foreign key k is taken off' },
      { table: 'sales.c', lock: 'share row exclusive', why: 'rows are merged into it' },
    ],
    preSnapshotId: 'before',
    notices: ['a notice'],
    outcome: null,
  };
  const ended = {
    transactionId: '7',
    tables: [{ ...name, inserted: 1, updated: 2, deleted: 3000, unchanged: 4 }],
    error: null,
  };

  test('tells what is done with each table, and who waits meanwhile', () => {
    expect(describeSnapshot(running)).toBe(
      [
        '**running** `d` to snapshot one (overwrite): merge',
        ...['', 'Taken before: snapshot `before`', '', 'a notice', ''],
        '* `sales.a|b`: staged',
        ...['', 'Foreign keys, while rows are merged:', '', '* `k` of `sales.a|b`: taken off'],
        ...['', 'Readers wait, while rows are merged, for:', ''],
        '* `sales.a|b`: its foreign key k is taken off',
      ].join('\n'),
    );
  });

  test('tells at the end what became of each table, and of nobody who waits', () => {
    const outcome = { ...ended, state: 'completed' } as unknown as SnapshotOutcome;
    expect(describeSnapshot({ ...running, state: 'completed', outcome })).toBe(
      [
        '**completed** `d` to snapshot one (overwrite)',
        ...['', 'Taken before: snapshot `before`', '', 'a notice', ''],
        ...['| table | inserted | updated | deleted | unchanged |', '|---|---:|---:|---:|---:|'],
        '| `sales.a\\|b` | 1 | 2 | 3,000 | 4 |',
        '| 1 table in all | 1 | 2 | 3,000 | 4 |',
        ...['', 'Foreign keys, while rows were merged:', '', '* `k` of `sales.a|b`: taken off'],
      ].join('\n'),
    );
  });

  test('tells of one that failed why it did, and of no foreign key that was held', () => {
    const error = { code: 'RowRejected', message: 'rows break\na key', hint: '' };
    const outcome = { ...ended, state: 'failed', transactionId: null, tables: [], error };
    const progress = { ...running, state: 'failed' as const, outcome: outcome as unknown as SnapshotOutcome };
    const text = describeSnapshot(progress);
    expect(text).toContain('**RowRejected** rows break a key');
    expect(text).not.toContain('Foreign keys');
  });

  test('stays below what Temporal takes', () => {
    const long = 'é'.repeat(500);
    const many = <T>(one: T) => Array.from({ length: 40 }, () => one);
    const text = describeSnapshot({
      ...running,
      steps: many({ table: long, status: 'staged', progress_pct: 50, eta_seconds: null }),
      keys: many({ name: long, table: long, hold: 'taken off' }),
      locks: many({ table: long, lock: 'access exclusive', why: long }),
      notices: many(long),
    });
    expect(Buffer.byteLength(text)).toBeLessThan(limit);
    expect(text).toContain('and 25 more tables');
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
