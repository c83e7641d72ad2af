import type { CopyPiece } from '../archive/copy-piece.ts';
import type { ColumnNote, RowCounts } from '../contract/outcome.ts';
import type { TimeRange } from '../contract/time-range.ts';
import { CopyRun } from '../load/copy-run.ts';
import { pick } from '../load/picked-columns.ts';
import type { Sink } from '../load/sink.ts';
import type { TargetColumn } from '../postgres/catalog.ts';
import {
  type Comparison,
  compareStage,
  createComparedStage,
  type LineRun,
  nextRow,
  noteLines,
} from '../postgres/compare.ts';
import { dropStage, type Stage, StageCopy } from '../postgres/stage.ts';
import { leaveOut } from '../postgres/time-range.ts';

/** An archive of a load, for the lines that its rows come from. */
interface NamedArchive {
  readonly key: string;
  readonly ordinal: number;
}

const everyRow = { first: 0, last: Number.MAX_SAFE_INTEGER };

/** What came of comparing some archives. */
export interface ComparedBatch {
  readonly equal: number;
  readonly superseded: number;
  readonly rows: number;
}

/** COPY into temporary tables, one for each set of columns, to compare them with the target. */
export class CompareSink implements Sink {
  readonly #comparison: Comparison;
  readonly #columns: readonly TargetColumn[];
  readonly #archives: readonly NamedArchive[];
  readonly #run: CopyRun;
  readonly #stages = new Map<string, Stage>();
  #runs: LineRun[] = [];
  /** Number of the next row; known once the first one comes. */
  #row: number | null = null;

  /**
   * @param columns those that the slicer writes, in its order
   * @param archives by their places in the load
   */
  constructor(comparison: Comparison, columns: readonly TargetColumn[], archives: readonly NamedArchive[]) {
    this.#comparison = comparison;
    this.#columns = columns;
    this.#archives = archives;
    this.#run = new CopyRun(async (indexes) => {
      return new StageCopy(comparison.client, await this.#stageFor(indexes));
    });
  }

  async write(archive: number, piece: CopyPiece): Promise<void> {
    this.#row ??= await nextRow(this.#comparison);
    this.#note(archive, piece, this.#row);
    this.#row += piece.rows;
    await this.#run.write(piece);
  }

  async flush(): Promise<void> {
    await this.#run.finish();
  }

  leftOut(): readonly ColumnNote[] {
    return [];
  }

  async merge(): Promise<ReadonlyMap<number, RowCounts>> {
    throw new Error('what is only compared is never merged');
  }

  async abandon(): Promise<void> {
    await this.#run.abandon();
  }

  /** Sets of columns that records had. With several of them, the order of archives is lost among the stages. */
  get shapes(): number {
    return this.#stages.size;
  }

  /**
   * Compares what was written, and lets go of it.
   *
   * @param range passes over rows of another time, as the restore left them out; null: none
   */
  async compare(timeColumn: string | null, range: TimeRange | null): Promise<ComparedBatch> {
    const { client, deciding } = this.#comparison;
    const total = { rows: 0, equal: 0, superseded: 0 };
    await noteLines(this.#comparison, this.#runs);
    const stages = [...this.#stages.values()];
    for (const stage of deciding === 'first' ? stages.reverse() : stages) {
      if (range !== null) await leaveOut(client, stage, everyRow, range);
      const compared = await compareStage(this.#comparison, stage, timeColumn);
      total.rows += compared.rows;
      total.equal += compared.equal;
      total.superseded += compared.superseded;
      await dropStage(client, stage);
    }
    return total;
  }

  /** Lines follow one another but for blank ones, so one run holds for most archives. */
  #note(archive: number, piece: CopyPiece, firstRow: number): void {
    const { key, ordinal } = this.#archives[archive] ?? { key: '', ordinal: 0 };
    const isEven = piece.lineOf(piece.rows - 1) - piece.lineOf(0) === piece.rows - 1;
    for (let row = 0; row < (isEven ? 1 : piece.rows); row++) {
      const line = piece.lineOf(row);
      const last = this.#runs.at(-1);
      const follows = last?.archive === key && line - last.line === firstRow + row - last.firstRow;
      if (!follows) this.#runs.push({ firstRow: firstRow + row, line, archive: key, ordinal });
    }
  }

  async #stageFor(indexes: readonly number[]): Promise<Stage> {
    const shape = indexes.join();
    const known = this.#stages.get(shape);
    if (known !== undefined) return known;
    const stage = await createComparedStage(
      this.#comparison,
      pick(this.#columns, indexes),
      this.#stages.size,
    );
    this.#stages.set(shape, stage);
    return stage;
  }
}
