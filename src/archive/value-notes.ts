import type { ColumnNoteKind } from '../contract/outcome.ts';

/** Values of a column that did not come back as they were, or may not have. */
export interface ValueCount {
  /** Index of the column. */
  readonly column: number;
  readonly kind: ColumnNoteKind;
  /** Rows with such a value. */
  readonly values: number;
}

/**
 * Counts what encoders tell of single values. A row counts once it is finished, since one that was begun
 * may be given up and encoded again.
 */
export class ValueNotes {
  readonly #counts = new Map<string, ValueCount>();
  /** Of the row being encoded; a value within an array or composite may be told of several times. */
  readonly #pending = new Map<string, ValueCount>();

  add(column: number, kind: ColumnNoteKind): void {
    this.#pending.set(`${column} ${kind}`, { column, kind, values: 1 });
  }

  /** The row is finished. */
  keep(): void {
    if (this.#pending.size === 0) return;
    for (const [place, note] of this.#pending) {
      this.#counts.set(place, { ...note, values: (this.#counts.get(place)?.values ?? 0) + 1 });
    }
    this.#pending.clear();
  }

  /** The row is given up. */
  drop(): void {
    this.#pending.clear();
  }

  counts(): ValueCount[] {
    return [...this.#counts.values()];
  }
}
