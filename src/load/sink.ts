import type pg from 'pg';
import type { CopyPiece } from '../archive/copy-piece.ts';
import type { ColumnNote, RowCounts } from '../contract/outcome.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';
import { Copy } from '../postgres/copy.ts';
import { readExistingKeys } from '../postgres/existing-rows.ts';
import { qualifiedName } from '../postgres/identifier.ts';
import type { KeptImages } from '../postgres/kept-images.ts';
import { type MergeCounts, mergeStage } from '../postgres/merge.ts';
import { holdForMerge } from '../postgres/merge-hold.ts';
import { createStage, dropStage, indexStage, type Stage, StageCopy } from '../postgres/stage.ts';
import { stepsOf } from '../postgres/stage-range.ts';
import { leaveOut } from '../postgres/time-range.ts';
import { addColumnNotes, leftOutNotes } from '../restore/column-notes.ts';
import { LineMap } from './line-map.ts';

/** Where the rows of a load go, within its transaction. */
export interface Sink {
  /** Rows of the archive at this place of the load; archives come in order. */
  write(archive: number, piece: CopyPiece): Promise<void>;
  /** Ends the last COPY and compares PostgreSQL's count with the rows sent. @throws ThawError `CountMismatch` */
  flush(): Promise<void>;
  /** What of an archive, now that all is flushed, goes no further. */
  leftOut(archive: number): readonly ColumnNote[];
  /** Brings the rows into the target, where they are not there yet, and gives the counts by archive. */
  merge(): Promise<ReadonlyMap<number, RowCounts>>;
  /** Gives an open COPY up, so that the connection can roll back. */
  abandon(): Promise<void>;
}

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

/** COPY straight into the target: right as long as no key is there already. */
export class DirectSink implements Sink {
  readonly #run: CopyRun;
  readonly #rows = new Map<number, number>();
  /** The end of a COPY checks foreign keys: a row must not find its parent in an archive behind its own. */
  readonly #endsWithArchive: boolean;

  constructor(client: pg.Client, target: TargetTable, columns: readonly TargetColumn[]) {
    const table = qualifiedName(target.schema, target.table);
    this.#endsWithArchive = target.selfReferences.length > 0;
    this.#run = new CopyRun(
      async (indexes) =>
        new Copy(
          client,
          table,
          pick(columns, indexes).map(({ name }) => name),
        ),
    );
  }

  async write(archive: number, piece: CopyPiece): Promise<void> {
    if (this.#endsWithArchive && !this.#rows.has(archive)) await this.#run.finish();
    this.#rows.set(archive, (this.#rows.get(archive) ?? 0) + piece.rows);
    await this.#run.write(piece);
  }

  async flush(): Promise<void> {
    await this.#run.finish();
  }

  leftOut(): readonly ColumnNote[] {
    return [];
  }

  /** See {@link CopyRun.lineOf}. */
  lineOf(line: number): number {
    return this.#run.lineOf(line);
  }

  async merge(): Promise<ReadonlyMap<number, RowCounts>> {
    return new Map(
      [...this.#rows].map(([archive, inserted]) => [
        archive,
        { inserted, updated: 0, skipped: 0, failed: 0 },
      ]),
    );
  }

  async abandon(): Promise<void> {
    await this.#run.abandon();
  }
}

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

/** Columns by their places. @throws ThawError `SchemaIncompatible` for none */
export function pick(columns: readonly TargetColumn[], indexes: readonly number[]): TargetColumn[] {
  if (indexes.length === 0) {
    throw new ThawError('SchemaIncompatible', 'A record has no column of the table.', { stage: 'slice' });
  }
  return indexes.map((index, place) => {
    const column = columns[index];
    if (column === undefined) throw new RangeError(`The table has no column ${index}`);
    if (indexes.indexOf(index) !== place) {
      throw new ThawError('SchemaIncompatible', `Two keys of a record go into column ${column.name}.`, {
        stage: 'slice',
        hint: 'Leave one of them out with --columns, or map it to another column with --map-column old=new.',
      });
    }
    return column;
  });
}

function sameColumns(a: readonly number[] | null, b: readonly number[]): boolean {
  return a === b || (a !== null && a.length === b.length && a.every((column, place) => column === b[place]));
}
