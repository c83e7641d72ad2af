/** Rows that came in one piece, as far as their lines are concerned. */
interface RowLines {
  readonly rows: number;
  /** The archive's line (1-based) that a row (0-based) came from. */
  lineOf(row: number): number;
}

/** From `row` on, rows come from `line` and the lines behind it. */
interface Run {
  readonly row: number;
  readonly line: number;
}

/** Tells from which line of an archive a staged row came; a few numbers as long as no line was left out. */
export class LineMap {
  readonly #runs: Run[] = [];

  /** @param first the number of the first row of the piece; pieces come in order */
  add(first: number, piece: RowLines): void {
    const isUnbroken = piece.lineOf(piece.rows - 1) - piece.lineOf(0) === piece.rows - 1;
    const count = isUnbroken ? 1 : piece.rows;
    for (let row = 0; row < count; row++) this.#addRun({ row: first + row, line: piece.lineOf(row) });
  }

  lineOf(row: number): number {
    const run = this.#runs.findLast((candidate) => candidate.row <= row);
    if (run === undefined) throw new RangeError(`No row ${row} was added`);
    return run.line + row - run.row;
  }

  #addRun(run: Run): void {
    const last = this.#runs.at(-1);
    if (last === undefined || run.line - last.line !== run.row - last.row) this.#runs.push(run);
  }
}
