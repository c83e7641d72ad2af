import type { CopyPiece } from '../archive/copy-piece.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { Copy } from '../postgres/copy.ts';
import { LineMap } from './line-map.ts';

/** One COPY after another: a change of columns ends one and begins the next. */
export class CopyRun {
  #copy: Copy | null = null;
  #columns: readonly number[] | null = null;
  #rows = 0;
  #lines = new LineMap();
  readonly #begin: (columns: readonly number[]) => Promise<Copy>;

  constructor(begin: (columns: readonly number[]) => Promise<Copy>) {
    this.#begin = begin;
  }

  async write(piece: CopyPiece): Promise<void> {
    if (this.#copy === null || !sameColumns(this.#columns, piece.columns)) {
      await this.finish();
      this.#copy = await this.#begin(piece.columns);
      this.#columns = piece.columns;
      this.#lines = new LineMap();
    }
    this.#lines.add(this.#rows, piece);
    this.#rows += piece.rows;
    await this.#copy.write(piece);
  }

  async finish(): Promise<void> {
    const copy = this.#copy;
    if (copy === null) return;
    const sent = this.#rows;
    this.#copy = null;
    this.#rows = 0;
    const taken = await copy.finish();
    if (taken !== sent) {
      throw new ThawError('CountMismatch', `PostgreSQL took ${taken} of ${sent} rows.`, {
        stage: 'copy',
        hint: 'A trigger or rule of the table swallows rows.',
      });
    }
  }

  /** The line of the archive that a line (1-based) of the last COPY came from. */
  lineOf(line: number): number {
    return this.#lines.lineOf(line - 1);
  }

  async abandon(): Promise<void> {
    await this.#copy?.abandon();
    this.#copy = null;
  }
}

function sameColumns(a: readonly number[] | null, b: readonly number[]): boolean {
  return a === b || (a !== null && a.length === b.length && a.every((column, place) => column === b[place]));
}
