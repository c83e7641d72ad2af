import type pg from 'pg';
import type { CopyPiece } from '../archive/copy-piece.ts';
import type { ColumnNote, RowCounts } from '../contract/outcome.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';
import { readExistingKeys } from '../postgres/existing-rows.ts';
import type { KeptImages } from '../postgres/kept-images.ts';
import { type MergeCounts, mergeStage } from '../postgres/merge.ts';
import { holdForMerge } from '../postgres/merge-hold.ts';
import { createStage, dropStage, indexStage, type Stage, StageCopy } from '../postgres/stage.ts';
import { stepsOf } from '../postgres/stage-range.ts';
import { leaveOut } from '../postgres/time-range.ts';
import { addColumnNotes, leftOutNotes } from '../restore/column-notes.ts';
import { CopyRun } from './copy-run.ts';
import { LineMap } from './line-map.ts';
import { pick } from './picked-columns.ts';
import type { Sink } from './sink.ts';

/** Consecutive rows of an archive in a stage. */
interface Segment {
  readonly archive: number;
  readonly stage: Stage;
  readonly first: number;
  last: number;
  /** Of them, those that are to be merged. */
  rows: number;
  readonly lines: LineMap;
}

/** How staged rows are merged. */
export type MergeOptions = Pick<RestoreOptions, 'conflictStrategy' | 'batchSize'>;

/** COPY into temporary tables, one for each set of columns, and a merge of each archive, in order. */
export class StagedSink implements Sink {
  readonly #client: pg.Client;
  readonly #target: TargetTable;
  readonly #options: MergeOptions;
  readonly #columns: readonly TargetColumn[];
  readonly #run: CopyRun;
  readonly #stages = new Map<string, { readonly stage: Stage; rows: number }>();
  readonly #segments: Segment[] = [];
  readonly #range: TimeRange | null;
  readonly #leftOut = new Map<number, readonly ColumnNote[]>();
  readonly #unchanged = new Map<number, number>();
  readonly #kept: KeptImages | null;

  /**
   * @param range leaves out rows of another time; null: none
   * @param kept keeps what is changed; null: nothing
   */
  constructor(
    client: pg.Client,
    target: TargetTable,
    columns: readonly TargetColumn[],
    options: MergeOptions,
    range: TimeRange | null,
    kept: KeptImages | null = null,
  ) {
    this.#kept = kept;
    this.#client = client;
    this.#target = target;
    this.#options = options;
    this.#range = range;
    this.#columns = columns;
    this.#run = new CopyRun(async (indexes) => {
      const { stage } = await this.#stageFor(indexes);
      return new StageCopy(client, stage);
    });
  }

  async write(archive: number, piece: CopyPiece): Promise<void> {
    await this.#run.write(piece);
    const entry = await this.#stageFor(piece.columns);
    const segment = this.#segments.at(-1);
    const first = entry.rows + 1;
    entry.rows += piece.rows;
    if (segment?.archive === archive && segment.stage === entry.stage) {
      segment.last = entry.rows;
      segment.rows += piece.rows;
      segment.lines.add(first, piece);
    } else {
      const lines = new LineMap();
      lines.add(first, piece);
      this.#segments.push({ archive, stage: entry.stage, first, last: entry.rows, rows: piece.rows, lines });
    }
  }

  /** What was written so far lies here. */
  get stages(): readonly Stage[] {
    return [...this.#stages.values()].map(({ stage }) => stage);
  }

  async flush(): Promise<void> {
    await this.#run.finish();
    for (const { stage } of this.#stages.values()) {
      const steps = this.#segments
        .filter((segment) => segment.stage === stage)
        .flatMap((segment) => stepsOf(segment, this.#options.batchSize));
      if (steps.length > 1) await indexStage(this.#client, stage);
    }
    for (const segment of this.#segments) await this.#leaveOut(segment);
  }

  leftOut(archive: number): readonly ColumnNote[] {
    return this.#leftOut.get(archive) ?? [];
  }

  /** See {@link CopyRun.lineOf}. */
  lineOf(line: number): number {
    return this.#run.lineOf(line);
  }

  async merge(): Promise<ReadonlyMap<number, RowCounts>> {
    const counts = new Map<number, RowCounts>();
    if (this.#segments.length === 0) return counts;
    const release = await holdForMerge(this.#client, this.#target, this.#kept !== null);
    for (const segment of this.#segments) {
      const merged = await this.#mergeSegment(segment);
      this.#unchanged.set(segment.archive, this.unchanged(segment.archive) + merged.unchanged);
      const before = counts.get(segment.archive) ?? { inserted: 0, updated: 0, skipped: 0, failed: 0 };
      counts.set(segment.archive, {
        inserted: before.inserted + merged.inserted,
        updated: before.updated + merged.updated,
        skipped: before.skipped + segment.rows - merged.inserted - merged.updated,
        failed: 0,
      });
    }
    await release();
    return counts;
  }

  /** Of the rows of an archive that a merge has counted as skipped, those that were there with the same values. */
  unchanged(archive: number): number {
    return this.#unchanged.get(archive) ?? 0;
  }

  /** Keys of rows of an archive, before they are merged, whose key is in the table; at most `limit`, in their order. */
  async existingKeys(archive: number, limit: number): Promise<string[]> {
    const keys: string[] = [];
    for (const segment of this.#segments) {
      if (segment.archive !== archive || keys.length >= limit) continue;
      const rest = limit - keys.length;
      keys.push(...(await readExistingKeys(this.#client, this.#target, segment.stage, segment, rest)));
    }
    return keys;
  }

  /** Gives up its temporary tables, so that another sink can follow in the transaction. */
  async drop(): Promise<void> {
    for (const { stage } of this.#stages.values()) await dropStage(this.#client, stage);
  }

  async abandon(): Promise<void> {
    await this.#run.abandon();
  }

  async #leaveOut(segment: Segment): Promise<void> {
    if (this.#range === null) return;
    const gone = await leaveOut(this.#client, segment.stage, segment, this.#range);
    segment.rows -= gone.rows;
    this.#leftOut.set(
      segment.archive,
      addColumnNotes(this.leftOut(segment.archive), leftOutNotes(this.#range.column, gone)),
    );
  }

  async #mergeSegment({ stage, first, last, lines }: Segment): Promise<MergeCounts> {
    const { conflictStrategy, batchSize } = this.#options;
    const range = { first, last, lineOf: (row: number) => lines.lineOf(row) };
    return mergeStage(this.#client, this.#target, stage, range, conflictStrategy, batchSize, this.#kept);
  }

  async #stageFor(indexes: readonly number[]): Promise<{ readonly stage: Stage; rows: number }> {
    const shape = indexes.join();
    const known = this.#stages.get(shape);
    if (known !== undefined) return known;
    const stage = await createStage(this.#client, pick(this.#columns, indexes), this.#stages.size);
    const entry = { stage, rows: 0 };
    this.#stages.set(shape, entry);
    return entry;
  }
}
