import type { ColumnNote, ColumnNoteKind } from '../contract/outcome.ts';
import { clip } from './clip.ts';
import { formatCount } from './format.ts';

/** Columns that have notes of their own: keys of archives may be any number, and notes travel in payloads. */
export const maxColumnNotes = 100;

/** No name takes more of a payload, in bytes; PostgreSQL's own have 63 at the most. */
const nameBytes = 200;

/** Adds up notes by column and kind; those that are too many are added up by kind alone. */
export function addColumnNotes(known: readonly ColumnNote[], more: readonly ColumnNote[]): ColumnNote[] {
  const notes = new Map(known.map((note) => [placeOf(note), note]));
  for (const { column, kind, values } of more) {
    const own = { column: column === null ? null : clip(column, nameBytes), kind, values };
    const isKept = notes.has(placeOf(own)) || notes.size < maxColumnNotes;
    const note = isKept ? own : { ...own, column: null };
    const before = notes.get(placeOf(note))?.values ?? 0;
    notes.set(placeOf(note), { ...note, values: before + values });
  }
  return [...notes.values()];
}

/**
 * Notes of rows that were left out by their time.
 *
 * @param column that has it
 */
export function leftOutNotes(
  column: string,
  { rows, untimed }: { readonly rows: number; readonly untimed: number },
): ColumnNote[] {
  const notes: ColumnNote[] = [
    { column, kind: 'out_of_range', values: rows - untimed },
    { column, kind: 'untimed', values: untimed },
  ];
  return notes.filter(({ values }) => values > 0);
}

/** A note as a line for the user. */
export function describeColumnNote({ column, kind, values }: ColumnNote): string {
  const subject = column === null ? 'Further columns' : `Column ${column}`;
  return `${subject}: ${formatCount(values)} value${values === 1 ? '' : 's'} ${wordings[kind]}`;
}

const wordings: Readonly<Record<ColumnNoteKind, string>> = {
  dropped: 'left out, as the table has no such column.',
  unrestorable: 'destroyed by the archiver and restored as NULL.',
  overwritten: "lost, as the archiver wrote its own over them; the column's default was restored.",
  infinity_kept:
    "at the end of the archiver's calendar, restored as archived; it wrote infinity the same way (--infinity map).",
  infinity_mapped: "at the end of the archiver's calendar, restored as infinity.",
  out_of_range: 'not within the time asked for; their rows were left out.',
  untimed: 'that are NULL, which is within no time; their rows were left out.',
};

function placeOf({ column, kind }: ColumnNote): string {
  return JSON.stringify([kind, column]);
}
