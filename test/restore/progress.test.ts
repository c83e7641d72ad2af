import { describe, expect, test } from 'vitest';
import type { RestoreState, TableProgress } from '../../src/contract/progress.ts';
import { mergeProgress, type RestoreHead, sumProgress } from '../../src/restore/progress.ts';
import { emptyTally } from '../../src/restore/tally.ts';

const startedAt = '2026-01-04T05:30:00.000Z';
const at = (seconds: number) => Date.parse(startedAt) + seconds * 1000;

function head(state: RestoreState): RestoreHead {
  return { restoreId: 'r', database: 'd', state, reason: null, startedAt };
}

function table(target: string, state: RestoreState, done: number, total: number | null): TableProgress {
  return {
    target,
    workflowId: `target/d/${target}`,
    state,
    archives: { done, total },
    bytes: { done: done * 100, total: total === null ? null : total * 100 },
    tally: {
      archives: { restored: done, earlier: 0, failed: 0 },
      rows: { ...emptyTally.rows, inserted: done * 10 },
      bytes: done * 100,
    },
    failures: [],
    inFlight: [],
  };
}

describe('sumProgress', () => {
  test('counts add up, with rate and time to go', () => {
    const tables = [table('a', 'running', 10, 40), table('b', 'running', 30, 40)];
    expect(sumProgress(head('running'), tables, at(20))).toMatchObject({
      archives: { done: 40, total: 80 },
      bytes: { done: 4000, total: 8000 },
      tally: { rows: { inserted: 400 } },
      rowsPerSecond: 20,
      etaSeconds: 20,
    });
  });

  test('while one table does not know its total, the restore does not either, nor when it ends', () => {
    const tables = [table('a', 'running', 10, 40), table('b', 'queued', 0, null)];
    expect(sumProgress(head('running'), tables, at(20))).toMatchObject({
      archives: { done: 10, total: null },
      etaSeconds: null,
    });
  });

  test('nothing goes on while it is paused, and nothing is known at the beginning', () => {
    expect(sumProgress(head('paused'), [table('a', 'paused', 1, 4)], at(9)).etaSeconds).toBeNull();
    expect(sumProgress(head('running'), [], at(0))).toMatchObject({ rowsPerSecond: 0, etaSeconds: null });
  });

  test('failures are the first 20 of all tables', () => {
    const failures = Array.from({ length: 15 }, (_, index) => ({
      archive: `k${index}`,
      code: 'CountMismatch' as const,
      message: '',
      hint: '',
      stage: null,
      rows: 0,
    }));
    const tables = ['a', 'b'].map((name) => ({ ...table(name, 'running', 0, 9), failures }));
    expect(sumProgress(head('running'), tables, at(1)).failures.map(({ archive }) => archive)).toEqual([
      ...failures.map(({ archive }) => archive),
      'k0',
      'k1',
      'k2',
      'k3',
      'k4',
    ]);
  });
});

describe('mergeProgress', () => {
  const known = sumProgress(
    head('running'),
    [table('a', 'completed', 5, 5), table('b', 'running', 0, null), table('c', 'running', 2, 9)],
    at(10),
  );

  test('running tables tell themselves, ended ones are as the restore knows them', () => {
    const answers = new Map([
      ['a', table('a', 'running', 1, 5)],
      ['b', table('b', 'running', 3, 7)],
    ]);
    expect(mergeProgress(known, answers, at(10)).archives).toEqual({ done: 5 + 3 + 2, total: 5 + 7 + 9 });
  });

  test.each([
    ['paused', 'paused', 'paused'],
    ['paused', 'pausing', 'pausing'],
    ['pausing', 'pausing', 'pausing'],
  ] as const)('tables that are %s and %s: the restore is %s', (b, c, expected) => {
    const answers = new Map([
      ['b', table('b', b, 1, 4)],
      ['c', table('c', c, 1, 4)],
    ]);
    expect(mergeProgress({ ...known, state: 'pausing' }, answers, at(10)).state).toBe(expected);
  });

  test('an ended restore is told as it ended: its rate does not fall with time', () => {
    const ended = { ...known, state: 'completed' as const, rowsPerSecond: 7 };
    expect(mergeProgress(ended, new Map(), at(1_000_000)).rowsPerSecond).toBe(7);
  });
});
