import type pg from 'pg';
import { RestartNested } from '../archive/slice-error.ts';
import type { ArchiveRef, LoadInput, LoadOutcome, TableScope } from '../contract/activities.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import type { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import { ArchiveCopier, type CopiedArchive } from '../load/archive-copier.ts';
import { isAboutArchive } from '../load/archive-error.ts';
import { archiveFailure } from '../load/archive-failure.ts';
import { ArchiveReader } from '../load/archive-reader.ts';
import { LoadProgress } from '../load/load-progress.ts';
import { LoadResults } from '../load/load-results.ts';
import { ambiguousOrigin } from '../load/origin.ts';
import { RefusedRows } from '../load/refused-rows.ts';
import { Rejects } from '../load/rejects.ts';
import type { Sink } from '../load/sink.ts';
import { StagedSink } from '../load/staged-sink.ts';
import { writtenColumns } from '../load/written-columns.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { bringLiveRows } from '../postgres/live-rows.ts';
import type { Shadow } from '../postgres/shadow.ts';
import type { Stage } from '../postgres/stage.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import { emptyTally } from '../restore/tally.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { shadowError } from './shadow-error.ts';

/** A table whose restore is rehearsed. */
export interface RehearsedTable {
  readonly scope: TableScope;
  readonly options: RestoreOptions;
  readonly target: TargetTable;
  readonly shadow: Shadow;
  /** Only rows of this time; null: all. */
  readonly range: TimeRange | null;
  /** The folder that names of archives are relative to. */
  readonly folder: string;
  /** Archives were asked for by their keys. */
  readonly named: boolean;
  /** The folder is configured for tables of several schemas. */
  readonly sharedFolder: boolean;
  /** Of the archives, by what the comparison with the table has found. */
  readonly schemas: readonly SchemaMark[];
  /** Archives of other schemas were found in it before. */
  readonly hasForeign: boolean;
}

/** A consecutive part of some archives. */
interface Part {
  /** Index of the first. */
  readonly from: number;
  /** Index behind the last. */
  readonly to: number;
}

/**
 * Restores archives into the shadow of a table as a load would into the table: by the same slicer, COPY and
 * merge, in archive order, and counts what came of each. Writes into temporary tables only, and PostgreSQL holds
 * it to that: each merge is in a transaction that may write nothing else.
 */
export class Rehearsal {
  readonly #client: pg.Client;
  readonly #table: RehearsedTable;
  readonly #store: ObjectStore;
  readonly #signal: AbortSignal;
  readonly #progress = new LoadProgress();
  /** Keys of the table by which no rows could be looked for. */
  readonly #unfoundKeys = new Set<string>();
  #hasForeign: boolean;

  /** @param client in no transaction; the shadow is of its session */
  constructor(client: pg.Client, table: RehearsedTable, store: ObjectStore, signal: AbortSignal) {
    this.#client = client;
    this.#table = table;
    this.#store = store;
    this.#signal = signal;
    this.#hasForeign = table.hasForeign;
  }

  get unfoundKeys(): readonly string[] {
    return [...this.#unfoundKeys];
  }

  /**
   * Restores the next archives.
   *
   * @throws ThawError for what is not about one archive
   */
  async load(archives: readonly ArchiveRef[]): Promise<LoadOutcome> {
    const batch = this.#batch(archives);
    if (archives.length > 0) await this.#decide(batch, { from: 0, to: archives.length });
    return batch.results.outcome();
  }

  #batch(archives: readonly ArchiveRef[]): Batch {
    const { scope, options, target, folder, named, sharedFolder, schemas } = this.#table;
    const checksums = options.validateChecksums;
    const reader = new ArchiveReader(this.#store, folder, archives, { checksums, signal: this.#signal });
    const rejects = new Rejects(options.maxRejects);
    const input: LoadInput = {
      ...{ scope, options, folder, archives, named, firstOrdinal: 0, what: 'dry run' },
      target: { oid: target.rootOid, epoch: 0, ordered: true },
    };
    const tools = { target, progress: this.#progress, sharedFolder, schemas };
    const copier = new ArchiveCopier(input, tools, reader, rejects);
    return { archives, reader, rejects, copier, results: new LoadResults() };
  }

  async #decide(batch: Batch, part: Part): Promise<void> {
    try {
      await this.#together(batch, part);
    } catch (error) {
      if (!isAboutArchive(error)) throw error;
      if (part.to - part.from === 1) await this.#decideBad(batch, part, error);
      else
        for (let index = part.from; index < part.to; index++)
          await this.#decide(batch, { from: index, to: index + 1 });
    }
  }

  /** Decides an archive by itself that could not be loaded as it is: without its refused rows, or as failed. */
  async #decideBad(batch: Batch, part: Part, error: ThawError): Promise<void> {
    const { rejects } = batch;
    const known = rejects.refusedBy(part.from).size;
    try {
      const isRefused = error.code === 'RowRejected' && error.sqlstate !== undefined;
      if (rejects.max > 0 && isRefused) await this.#findRefused(batch, part);
    } catch (worse) {
      if (!isAboutArchive(worse)) throw worse;
      return this.#fail(batch, part.from, worse);
    }
    if (rejects.refusedBy(part.from).size > known) await this.#decide(batch, part);
    else await this.#fail(batch, part.from, error);
  }

  async #findRefused(batch: Batch, part: Part): Promise<void> {
    const { options, target, shadow, range } = this.#table;
    const key = batch.reader.keyAt(part.from);
    const take = (line: number, error: ThawError) => {
      batch.rejects.refuse(part.from, key, line, this.#translate(error) as ThawError);
    };
    await this.#attempt(
      () =>
        new RefusedRows(
          ...([this.#client, shadow.target, writtenColumns(target)] as const),
          ...([options.conflictStrategy, range, take] as const),
        ),
      async (sink) => {
        await batch.copier.copy([part.from], sink, range);
        await this.#merge(sink);
        await this.#client.query('rollback');
      },
    );
  }

  /** Loads a part as one transaction would. */
  async #together(batch: Batch, part: Part): Promise<void> {
    const { options, target, shadow, range } = this.#table;
    const indexes = Array.from({ length: part.to - part.from }, (_, place) => part.from + place);
    await this.#attempt(
      () => new StagedSink(this.#client, shadow.target, writtenColumns(target), options, range),
      async (sink) => {
        const copied = await batch.copier.copy(indexes, sink, range);
        this.#refuseUntold(batch, copied);
        const counts = await this.#merge(sink);
        await this.#client.query('commit');
        for (const [index, archive] of copied) {
          const bytes = batch.archives[index]?.bytes ?? 0;
          const { foreignSchema, columnNotes, rejected } = archive;
          const rows = { ...(counts.get(index) ?? emptyTally.rows), failed: rejected.length };
          this.#hasForeign ||= foreignSchema !== null;
          if (foreignSchema !== null) batch.results.addForeign({ bytes }, foreignSchema);
          else batch.results.addRestored({ bytes }, rows, columnNotes);
        }
      },
    );
  }

  /** Does something in a transaction; again, where what was read turns out to have to be read otherwise. */
  async #attempt<S extends Sink>(open: () => S, work: (sink: S) => Promise<void>): Promise<void> {
    for (;;) {
      const sink = open();
      try {
        await this.#client.query('begin');
        return await work(sink);
      } catch (raw) {
        await sink.abandon().catch(() => {});
        await this.#client.query('rollback').catch(() => {});
        const error = this.#translate(raw);
        if (!(error instanceof RestartNested)) throw error;
      }
    }
  }

  /** Merges what was staged with what of the table it meets. */
  async #merge(sink: Sink & { readonly stages: readonly Stage[] }) {
    const { target, shadow } = this.#table;
    this.#progress.enter('merge', '');
    for (const stage of sink.stages) {
      const unfound = await bringLiveRows(this.#client, target, shadow, stage);
      for (const key of unfound) this.#unfoundKeys.add(key);
    }
    // What a default or a check of the table does besides would outlast the dry run.
    await this.#client.query('set transaction read only');
    return sink.merge();
  }

  /** Like the rule of a load: see `ambiguousOrigin`. */
  #refuseUntold({ reader }: Batch, copied: ReadonlyMap<number, CopiedArchive>): void {
    let isShared = this.#hasForeign;
    for (const [index, { foreignSchema, isUntold }] of copied) {
      isShared ||= foreignSchema !== null;
      if (isUntold && isShared) throw ambiguousOrigin(reader.keyAt(index), this.#table.scope.table.schema);
    }
  }

  async #fail(batch: Batch, index: number, error: ThawError): Promise<void> {
    const bytes = batch.archives[index]?.bytes ?? 0;
    batch.results.addFailed({ bytes }, await archiveFailure(batch.reader, index, error));
  }

  #translate(raw: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    if (raw instanceof RestartNested) return raw;
    return shadowError(raw, this.#table, this.#progress.stage);
  }
}

/** Archives that are read and merged together. */
interface Batch {
  readonly archives: readonly ArchiveRef[];
  readonly reader: ArchiveReader;
  readonly rejects: Rejects;
  readonly copier: ArchiveCopier;
  readonly results: LoadResults;
}
