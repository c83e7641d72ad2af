import type pg from 'pg';
import * as ascii from '../archive/ascii.ts';
import type { CopyPiece } from '../archive/copy-piece.ts';
import type { ColumnNote, RowCounts } from '../contract/outcome.ts';
import type { ConflictStrategy } from '../contract/restore-request.ts';
import type { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';
import { mergeStage } from '../postgres/merge.ts';
import { holdForMerge } from '../postgres/merge-hold.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { createStage, indexStage, type Stage, StageCopy } from '../postgres/stage.ts';
import { leaveOut } from '../postgres/time-range.ts';
import { pick } from './picked-columns.ts';
import type { Sink } from './sink.ts';

/** Is told of a line that PostgreSQL refuses, and why; may throw when that is enough. */
export type TakeRefused = (line: number, error: ThawError) => void;

/** Lines of the archive, as numbers of rows in a stage. */
interface Segment {
  readonly stage: Stage;
  readonly first: number;
  last: number;
}

/**
 * Finds the rows of one archive that PostgreSQL refuses, as values of their columns or in the target: it
 * writes everything under savepoints, and halves what was refused until it is a row. That costs some
 * statements for each bad row, and none for the others, whatever the language of the server's messages.
 *
 * Only for a transaction that is rolled back: what commits is written without savepoints, by another sink.
 */
export class RefusedRows implements Sink {
  readonly #client: pg.Client;
  readonly #target: TargetTable;
  readonly #columns: readonly TargetColumn[];
  readonly #strategy: ConflictStrategy;
  readonly #range: TimeRange | null;
  readonly #take: TakeRefused;
  readonly #stages = new Map<string, Stage>();
  readonly #segments: Segment[] = [];

  /** @param range leaves out rows of another time; null: none */
  constructor(
    client: pg.Client,
    target: TargetTable,
    columns: readonly TargetColumn[],
    strategy: ConflictStrategy,
    range: TimeRange | null,
    take: TakeRefused,
  ) {
    this.#client = client;
    this.#target = target;
    this.#columns = columns;
    this.#strategy = strategy;
    this.#range = range;
    this.#take = take;
  }

  async write(_archive: number, piece: CopyPiece): Promise<void> {
    const stage = await this.#stageFor(piece.columns);
    const rows = stage.isSplit ? rowsOf(piece) : numberedRows(piece);
    const lines = rows.map((_, row) => piece.lineOf(row));
    const lineOf = (row: number) => piece.lineOf(row);
    const first = lineOf(0);
    const last = lineOf(piece.rows - 1);
    piece.release();
    await this.#halve(0, rows.length, lineOf, async (from, to) => {
      const copy = new StageCopy(this.#client, stage, lines.slice(from, to));
      await copy.write({ bytes: Buffer.concat(rows.slice(from, to)), release: () => {} });
      await copy.finish();
    });
    const segment = this.#segments.at(-1);
    if (segment?.stage === stage) segment.last = last;
    else this.#segments.push({ stage, first, last });
  }

  /** What was written so far lies here. */
  get stages(): readonly Stage[] {
    return [...this.#stages.values()];
  }

  async flush(): Promise<void> {
    for (const stage of this.#stages.values()) await indexStage(this.#client, stage);
    if (this.#range === null) return;
    for (const segment of this.#segments) await leaveOut(this.#client, segment.stage, segment, this.#range);
  }

  leftOut(): readonly ColumnNote[] {
    return [];
  }

  async merge(): Promise<ReadonlyMap<number, RowCounts>> {
    // What is checked at the commit would name no row.
    await this.#client.query('set constraints all immediate');
    await holdForMerge(this.#client, this.#target);
    for (const { stage, first, last } of this.#segments) {
      await this.#halve(
        first,
        last + 1,
        (line) => line,
        async (from, to) => {
          const range = { first: from, last: to - 1, lineOf: (line: number) => line };
          await mergeStage(this.#client, this.#target, stage, range, this.#strategy);
        },
      );
    }
    return new Map();
  }

  async abandon(): Promise<void> {}

  async #halve(
    from: number,
    to: number,
    lineOf: (place: number) => number,
    write: (from: number, to: number) => Promise<void>,
  ): Promise<void> {
    await this.#client.query('savepoint thaw_half');
    try {
      await write(from, to);
      await this.#client.query('release savepoint thaw_half');
    } catch (raw) {
      const { schema, table } = this.#target;
      const error = databaseError(raw, { object: `${schema}.${table}`, stage: 'merge' });
      if (error.code !== 'RowRejected') throw error;
      await this.#client.query('rollback to savepoint thaw_half; release savepoint thaw_half');
      if (to - from === 1) {
        this.#take(lineOf(from), error);
        return;
      }
      const middle = Math.floor((from + to) / 2);
      await this.#halve(from, middle, lineOf, write);
      await this.#halve(middle, to, lineOf, write);
    }
  }

  async #stageFor(indexes: readonly number[]): Promise<Stage> {
    const shape = indexes.join();
    const known = this.#stages.get(shape);
    if (known !== undefined) return known;
    const stage = await createStage(this.#client, pick(this.#columns, indexes), this.#stages.size);
    this.#stages.set(shape, stage);
    return stage;
  }
}

/** The rows of a piece, each with its line of the archive as a first field. */
function numberedRows(piece: CopyPiece): Buffer[] {
  return rowsOf(piece).map((row, place) => Buffer.concat([Buffer.from(`${piece.lineOf(place)}\t`), row]));
}

/** The rows of a piece, on their own: the buffer of the piece goes back. */
function rowsOf(piece: CopyPiece): Buffer[] {
  const rows: Buffer[] = [];
  for (let start = 0; start < piece.bytes.length; ) {
    const end = piece.bytes.indexOf(ascii.newline, start) + 1;
    rows.push(Buffer.from(piece.bytes.subarray(start, end)));
    start = end;
  }
  return rows;
}
