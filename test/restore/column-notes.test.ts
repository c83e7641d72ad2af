import { expect, test } from 'vitest';
import type { ColumnNote } from '../../src/contract/outcome.ts';
import { addColumnNotes, describeColumnNote, maxColumnNotes } from '../../src/restore/column-notes.ts';

function dropped(count: number): ColumnNote[] {
  return Array.from({ length: count }, (_, place) => ({ column: `c${place}`, kind: 'dropped', values: 2 }));
}

test('adds up by column and kind', () => {
  const notes = addColumnNotes(
    [
      { column: 'route', kind: 'unrestorable', values: 3 },
      { column: 'day', kind: 'infinity_kept', values: 1 },
    ],
    [
      { column: 'day', kind: 'infinity_kept', values: 4 },
      { column: 'day', kind: 'dropped', values: 1 },
    ],
  );
  expect(notes).toEqual([
    { column: 'route', kind: 'unrestorable', values: 3 },
    { column: 'day', kind: 'infinity_kept', values: 5 },
    { column: 'day', kind: 'dropped', values: 1 },
  ]);
});

test('columns that are too many are counted together, again and again', () => {
  const all = dropped(maxColumnNotes + 10);
  const once = addColumnNotes([], all);
  const twice = addColumnNotes(once, once);
  expect(twice).toHaveLength(maxColumnNotes + 1);
  expect(twice[0]).toEqual({ column: 'c0', kind: 'dropped', values: 4 });
  expect(twice.at(-1)).toEqual({ column: null, kind: 'dropped', values: 40 });
  expect(describeColumnNote(twice.at(-1) as ColumnNote)).toBe(
    'Further columns: 40 values left out, as the table has no such column.',
  );
});

test('a name that is no name of PostgreSQL is cut', () => {
  const [note] = addColumnNotes([], [{ column: 'x'.repeat(100_000), kind: 'dropped', values: 1 }]);
  expect(note?.column?.length).toBeLessThan(250);
});
