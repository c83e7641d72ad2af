import type { RejectedLine } from '../archive/slicer.ts';
import type { LeftOutRows } from '../load/rejects.ts';

/** The rows that a restore left out of archives: they are not in the table, so they are not looked for there. */
export class KeptRows implements LeftOutRows {
  /** How many. */
  readonly rows: number;
  readonly #lines: readonly ReadonlySet<number>[];

  /** @param lines by the places of their archives */
  constructor(lines: readonly ReadonlySet<number>[]) {
    this.#lines = lines;
    this.rows = lines.reduce((sum, { size }) => sum + size, 0);
  }

  get max(): number {
    return this.rows;
  }

  refusedBy(index: number): ReadonlySet<number> {
    return this.#lines[index] ?? new Set();
  }

  /** Any other bad row is a fault of its archive. */
  collector(): (reject: RejectedLine) => void {
    return ({ error }) => {
      if (error !== null) throw error;
    };
  }
}
