import * as ascii from './ascii.ts';
import { CopyText, giveBuffer } from './copy-text.ts';

/** A run of rows which have the same columns, as COPY text. */
export interface CopyPiece {
  /**
   * Indexes into the slicer's columns, in the order of the COPY column list. A change against the piece
   * before means: end the COPY and begin another. Empty for records without any column: such a row is
   * an empty line here, and `insert … default values` is its statement.
   */
  readonly columns: readonly number[];
  readonly rows: number;
  /** COPY text (tab separated, `\N` for NULL, each row ending in `\n`). Valid until `release` is called. */
  readonly bytes: Buffer;
  /** Gives the buffer back for reuse, once it is written out. */
  release(): void;
  /** The archive's line (1-based) that a row (0-based) of the piece came from. */
  lineOf(row: number): number;
}

/** From `row` on, rows come from `line` and the lines behind it. */
interface LineRun {
  readonly row: number;
  readonly line: number;
}

/** Gathers rows into pieces. */
export class PieceMaker {
  /** The rows that are in no piece yet, and the one being written. */
  readonly out = new CopyText();
  /** The columns of those rows. */
  columns: readonly number[] = [];
  #finished: CopyPiece[] = [];
  #rows = 0;
  #runs: LineRun[] = [];
  #nextLine = 0;

  /** Ends the row in `out`, whose values each have a tab behind them and of which there is one at least unless `columns` is empty. */
  finishRow(line: number): void {
    const { out } = this;
    if (this.columns.length === 0) out.length += 1;
    // A write behind the end of a buffer is lost without a word, so this is looked at for each row.
    if (out.length > out.bytes.length) throw new RangeError('A row is longer than the room made for it');
    out.bytes[out.length - 1] = ascii.newline;
    if (line !== this.#nextLine) this.#runs.push({ row: this.#rows, line });
    this.#nextLine = line + 1;
    this.#rows += 1;
  }

  /** Ends the piece, so that the rows from here on may have other columns. Nothing happens where there are no rows. */
  finishPiece(): void {
    if (this.#rows === 0) return;
    const { length } = this.out;
    this.#finished.push(new Piece(this.columns, this.#rows, this.out.detach(), length, this.#runs));
    this.#rows = 0;
    this.#runs = [];
    this.#nextLine = 0;
  }

  /** The pieces finished since it was last asked. */
  take(): CopyPiece[] {
    const pieces = this.#finished;
    this.#finished = [];
    return pieces;
  }
}

class Piece implements CopyPiece {
  readonly columns: readonly number[];
  readonly rows: number;
  readonly bytes: Buffer;
  readonly #runs: readonly LineRun[];
  #buffer: Buffer | null;

  constructor(
    columns: readonly number[],
    rows: number,
    buffer: Buffer,
    length: number,
    runs: readonly LineRun[],
  ) {
    this.columns = columns;
    this.rows = rows;
    this.bytes = buffer.subarray(0, length);
    this.#buffer = buffer;
    this.#runs = runs;
  }

  release(): void {
    if (this.#buffer !== null) giveBuffer(this.#buffer);
    this.#buffer = null;
  }

  lineOf(row: number): number {
    const run = this.#runs.findLast((candidate) => candidate.row <= row);
    if (run === undefined) throw new RangeError(`No row ${row} in a piece of ${this.rows}`);
    return run.line + row - run.row;
  }
}
