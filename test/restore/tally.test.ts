import { expect, test } from 'vitest';
import { addTallies, archivesDone, emptyTally, rowsRestored } from '../../src/restore/tally.ts';

const tally = {
  archives: { restored: 1, earlier: 2, failed: 4 },
  rows: { inserted: 8, updated: 16, skipped: 32, failed: 64 },
  bytes: 128,
};

test('every count is added to its own', () => {
  expect(addTallies(tally, addTallies(tally, emptyTally))).toEqual({
    archives: { restored: 2, earlier: 4, failed: 8 },
    rows: { inserted: 16, updated: 32, skipped: 64, failed: 128 },
    bytes: 256,
  });
});

test('done are archives decided in any way, restored are rows inserted and updated', () => {
  expect(archivesDone(tally)).toBe(7);
  expect(rowsRestored(tally.rows)).toBe(24);
});
