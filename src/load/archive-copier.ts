import type { ArchiveColumn } from '../archive/column-type.ts';
import type { CopyPiece } from '../archive/copy-piece.ts';
import { RestartNested } from '../archive/slice-error.ts';
import { Slicer } from '../archive/slicer.ts';
import type { LoadInput } from '../contract/activities.ts';
import type { ColumnNote } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import type { RejectedRow } from '../postgres/rejected-rows.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { addColumnNotes, leftOutNotes } from '../restore/column-notes.ts';
import { isExact, isWanted } from '../restore/schema-plan.ts';
import { isDisjoint } from '../restore/time-range.ts';
import { isAboutArchive, isConflict } from './archive-error.ts';
import { type ArchiveReader, letGo, type OpenArchive } from './archive-reader.ts';
import { ColumnFeed } from './column-feed.ts';
import type { LoadProgress } from './load-progress.ts';
import type { LoadTools } from './load-tools.ts';
import { type Origin, type OriginRule, originOf } from './origin.ts';
import type { LeftOutRows } from './rejects.ts';
import type { Sink } from './sink.ts';
import { verifyChecksums, verifyCount } from './verify.ts';
import { overwrittenColumns } from './written-columns.ts';

/** What came of reading an archive to its end. */
export interface CopiedArchive extends Origin {
  /** Its records. */
  readonly rows: number;
  readonly columnNotes: readonly ColumnNote[];
  /** Its rows that were left out. */
  readonly rejected: readonly RejectedRow[];
}

/** Of an archive that was not read. */
export const nothingCopied: CopiedArchive = {
  rows: 0,
  columnNotes: [],
  rejected: [],
  foreignSchema: null,
  isUntold: false,
};

/** Reads archives of a load to their ends, checks them, and gives their rows to a sink. */
export class ArchiveCopier {
  readonly #input: LoadInput;
  readonly #target: TargetTable;
  readonly #reader: ArchiveReader;
  readonly #progress: LoadProgress;
  readonly #rejects: LeftOutRows;
  readonly #feed: ColumnFeed;
  /** Columns of json found to hold nested values, by archive. */
  readonly #nested = new Map<number, Set<string>>();
  readonly #origin: OriginRule;

  constructor(
    input: LoadInput,
    {
      target,
      progress,
      sharedFolder,
      schemas,
    }: Pick<LoadTools, 'target' | 'progress' | 'sharedFolder' | 'schemas'>,
    reader: ArchiveReader,
    rejects: LeftOutRows,
  ) {
    this.#rejects = rejects;
    this.#input = input;
    this.#target = target;
    this.#reader = reader;
    this.#progress = progress;
    this.#origin = { schema: input.scope.table.schema, named: input.named, sharedFolder };
    this.#feed = new ColumnFeed(target, input, reader, schemas);
  }

  /**
   * Copies archives into a sink, in order.
   *
   * @param indexes places in the load
   * @param range leaves out archives of another time unread; null: none
   * @returns what came of each
   * @throws RestartNested when they have to be copied again from the start; ThawError for an archive that
   * cannot be read, is not what its metadata says, or has a row that the table cannot take
   */
  async copy(
    indexes: readonly number[],
    sink: Sink,
    range: TimeRange | null,
  ): Promise<Map<number, CopiedArchive>> {
    const copied = new Map<number, CopiedArchive>();
    for (const index of indexes) {
      copied.set(index, (await this.#outside(index, range)) ?? (await this.#copyArchive(index, sink)));
    }
    this.#progress.enter('copy', this.#input.what);
    await sink.flush();
    for (const [index, archive] of copied) {
      copied.set(index, {
        ...archive,
        columnNotes: addColumnNotes(archive.columnNotes, sink.leftOut(index)),
      });
    }
    return copied;
  }

  /** What comes of an archive that has no row within the range, by its metadata; null: it has to be read. */
  async #outside(index: number, range: TimeRange | null): Promise<CopiedArchive | null> {
    if (range === null) return null;
    const key = this.#reader.keyAt(index);
    this.#progress.enter('metadata', key);
    const metadata = await this.#reader.metadata(index);
    const origin = originOf({ key, name: this.#reader.nameAt(index), metadata }, this.#origin);
    if (origin.foreignSchema !== null) return { ...nothingCopied, ...origin };
    if (metadata === null || !isDisjoint(range, metadata.timestampRange)) return null;
    const rows = metadata.recordCount ?? 0;
    const columnNotes = leftOutNotes(range.column, { rows, untimed: 0 });
    return { ...nothingCopied, rows, columnNotes, ...origin };
  }

  async #copyArchive(index: number, sink: Sink): Promise<CopiedArchive> {
    const key = this.#reader.keyAt(index);
    this.#progress.enter('download', key);
    const archive = await this.#reader.open(index);
    const { metadata } = archive;
    const origin = originOf({ key, name: this.#reader.nameAt(index), metadata }, this.#origin);
    if (origin.foreignSchema !== null) {
      await letGo(archive);
      return { ...nothingCopied, ...origin };
    }
    this.#progress.enter('copy', key);
    const columns = await this.#columnsOf(index, archive);
    const rejected: RejectedRow[] = [];
    const slicer = this.#slicer(index, key, columns, rejected);
    const chunks = archive.chunks[Symbol.asyncIterator]();
    const write = async (piece: CopyPiece) => {
      this.#refuseIncomplete(key, columns, piece);
      await sink.write(index, piece);
    };
    try {
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
        const before = slicer.rows;
        for (const piece of slicer.push(next.value)) await write(piece);
        this.#progress.move(next.value.length, slicer.rows - before);
      }
      for (const piece of slicer.end()) await write(piece);
    } catch (error) {
      if (error instanceof RestartNested) this.#noteNested(index, error.column);
      // A conflict is no fault of the archive: it is read again anyway, to be staged.
      else if (!isConflict(error) && this.#blamesArchive(error)) await this.#blameChecksum(archive, chunks);
      throw error;
    }
    if (this.#input.options.validateChecksums) verifyChecksums(archive);
    verifyCount(archive, slicer.rows);
    return {
      rows: slicer.rows,
      columnNotes: addColumnNotes(slicer.columnNotes, [
        ...this.#droppedColumns(key, slicer),
        ...this.#overwritten(slicer),
      ]),
      ...origin,
      rejected,
    };
  }

  #blamesArchive(error: unknown): boolean {
    const { schema, table } = this.#target;
    return isAboutArchive(databaseError(error, { object: `${schema}.${table}` }));
  }

  /**
   * An error within an archive whose checksum is wrong is the fault of its bytes: so it is read to its end.
   *
   * @throws ThawError `ChecksumMismatch`
   */
  async #blameChecksum(archive: OpenArchive, rest: AsyncIterator<Buffer>): Promise<void> {
    if (!this.#input.options.validateChecksums) return;
    try {
      while ((await rest.next()).done !== true);
    } catch (error) {
      // Damage is told only after all bytes were read; anything else ends them early and proves nothing.
      if (!(error instanceof ThawError) || error.code !== 'ArchiveCorrupt') return;
    }
    verifyChecksums(archive);
  }

  async #columnsOf(index: number, archive: OpenArchive): Promise<ArchiveColumn[]> {
    try {
      return this.#feed.columnsOf(index, archive.metadata?.tableSchema ?? null);
    } catch (error) {
      await letGo(archive);
      throw error;
    }
  }

  #slicer(index: number, key: string, columns: readonly ArchiveColumn[], rejected: RejectedRow[]): Slicer {
    const { unrestorable, infinity } = this.#input.options;
    return new Slicer(columns, {
      archive: key,
      nestedJson: this.#nested.get(index),
      ignoredKeys: this.#feed.ignoredKeys,
      unrestorable,
      infinity,
      ...(this.#rejects.max === 0
        ? {}
        : {
            skipLines: new Set(this.#rejects.refusedBy(index).keys()),
            onReject: this.#rejects.collector(index, key, rejected),
          }),
    });
  }

  #noteNested(index: number, column: string): void {
    const columns = this.#nested.get(index) ?? new Set();
    this.#nested.set(index, columns.add(column));
  }

  /**
   * Records that lack a column of the table are no difference of schemas that metadata tells of.
   *
   * @throws ThawError `SchemaIncompatible` where the strategy wants them equal
   */
  #refuseIncomplete(key: string, columns: readonly ArchiveColumn[], { columns: fed }: CopyPiece): void {
    if (fed.length === columns.length || !isExact(this.#input.options)) return;
    const missing = columns.find((column, place) => column.key.length > 0 && !fed.includes(place));
    if (missing === undefined) return;
    throw new ThawError('SchemaIncompatible', `${key}: a record does not have column ${missing.name}.`, {
      object: key,
      stage: 'slice',
      hint: 'With --schema-migration-strategy lenient the column takes its default, or NULL.',
    });
  }

  /** Columns that the table does not have are left out by lenient and transform, and refused otherwise. */
  #droppedColumns(key: string, slicer: Slicer): ColumnNote[] {
    const { options } = this.#input;
    const dropped = [...slicer.unknownKeys].filter(([column]) => isWanted(column, options));
    return dropped.map(([column, values]) => {
      if (isExact(options)) throw this.#unknownColumn(key, column);
      return { column, kind: 'dropped', values };
    });
  }

  #overwritten({ rows }: Slicer): ColumnNote[] {
    return overwrittenColumns(this.#target).map(({ name }) => ({
      column: name,
      kind: 'overwritten',
      values: rows,
    }));
  }

  #unknownColumn(key: string, column: string): ThawError {
    const { schema, table } = this.#target;
    return new ThawError('SchemaIncompatible', `${key}: ${schema}.${table} has no column ${column}.`, {
      object: key,
      stage: 'slice',
      hint: 'Add the column, or leave it out with --schema-migration-strategy lenient.',
    });
  }
}
