import type pg from 'pg';
import { RestartNested } from '../archive/slice-error.ts';
import type { AskedRange } from '../config/row-range.ts';
import type { ArchiveRef, LoadInput, TableScope } from '../contract/activities.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import type { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import { ArchiveCopier } from '../load/archive-copier.ts';
import { isAboutArchive } from '../load/archive-error.ts';
import { ArchiveReader } from '../load/archive-reader.ts';
import { findArchives } from '../load/listing.ts';
import { LoadProgress } from '../load/load-progress.ts';
import { writtenColumns } from '../load/written-columns.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import {
  beginComparison,
  type ComparedKey,
  type Comparison,
  endComparison,
  firstDifferences,
  timeSpans,
} from '../postgres/compare.ts';
import { readKeptNumbers } from '../postgres/kept-rows.ts';
import { isPlain } from '../postgres/keys.ts';
import {
  type RestoredArchive,
  type RestoredTable,
  readRestoredArchives,
} from '../postgres/restored-archives.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { readTimeRange } from '../postgres/time-range.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { CompareSink } from './compare-sink.ts';
import { KeptRows } from './kept-rows.ts';
import { emptyReport, type TableReport, type UnverifiedArchive } from './table-report.ts';

/** A table and what a restore did with it. */
export interface VerifiedTable {
  readonly scope: TableScope;
  readonly options: RestoreOptions;
  readonly target: TargetTable;
  readonly restored: RestoredTable;
  /** That the restore has found with its archives. */
  readonly schemas: readonly SchemaMark[];
  /** Only rows of this time were restored; null: all. */
  readonly range: AskedRange | null;
  /** Column of the target that has the time of a row; null where none is known. */
  readonly timeColumn: string | null;
}

/** What tables are compared with. */
export interface VerifyTools {
  readonly store: ObjectStore;
  readonly signal: AbortSignal;
  /** Told of archives as they are done. */
  readonly onArchives: (archives: number, bytes: number) => void;
}

/** Archives read from the ledger at a time. */
const pageSize = 500;
/** Archives that are staged together have so many compressed bytes at the most, ... */
const batchBytes = 8 * 1024 * 1024;
/** ... and are no more than this. */
const batchArchives = 200;

/** Differences, and archives that could not be compared, that are told. */
const shown = 20;

interface Batch {
  readonly archives: readonly RestoredArchive[];
  readonly refs: readonly ArchiveRef[];
}

/**
 * Compares a table with all that a restore brought into it, as it is at one moment: in one transaction, which
 * is rolled back and writes into temporary tables only.
 *
 * @param client in no transaction
 * @throws ThawError for what is not about one archive
 */
export async function verifyTable(
  client: pg.Client,
  table: VerifiedTable,
  tools: VerifyTools,
): Promise<TableReport> {
  const verification = new TableVerification(client, table, tools);
  try {
    await client.query('begin isolation level repeatable read');
    return await verification.run();
  } catch (error) {
    throw databaseError(error, { object: `${table.target.schema}.${table.target.table}` });
  } finally {
    await client.query('rollback').catch(() => {});
  }
}

class TableVerification {
  readonly #table: VerifiedTable;
  readonly #tools: VerifyTools;
  readonly #comparison: Comparison;
  readonly #unverified: UnverifiedArchive[] = [];
  /** Only rows of this time were restored. */
  #range: TimeRange | null = null;
  #compared = 0;
  #rows = 0;
  #equal = 0;
  #superseded = 0;
  #rejected = 0;

  constructor(client: pg.Client, table: VerifiedTable, tools: VerifyTools) {
    const { target, options } = table;
    this.#table = table;
    this.#tools = tools;
    const updates = options.conflictStrategy === 'overwrite' || options.conflictStrategy === 'upsert';
    const deciding = updates ? 'last' : 'first';
    this.#comparison = { client, target, key: comparedKey(target, options), deciding };
  }

  async run(): Promise<TableReport> {
    const { target, restored, timeColumn, range } = this.#table;
    this.#range = range === null ? null : await readTimeRange(this.#comparison.client, target, range);
    await beginComparison(this.#comparison, timeColumn);
    for await (const batch of this.#batches()) await this.#compare(batch);
    const { differing, missing, keyless } = await endComparison(this.#comparison);
    return {
      ...emptyReport,
      target: `${target.schema}.${target.table}`,
      key: this.#comparison.key?.columns ?? null,
      archives: { compared: this.#compared, total: restored.archives },
      ...{ rows: this.#rows, equal: this.#equal + keyless, superseded: this.#superseded },
      ...{ differing, missing, rejected: this.#rejected },
      timestamps:
        timeColumn === null
          ? null
          : { column: timeColumn, ...(await timeSpans(this.#comparison, timeColumn)) },
      differences: await firstDifferences(this.#comparison, shown),
      unverified: this.#unverified.slice(0, shown),
      notices: this.#notices(differing),
    };
  }

  /** Archives in the order in which a later batch decides over those before; within a batch, in archive order. */
  async *#batches(): AsyncGenerator<Batch> {
    const { client, deciding } = this.#comparison;
    const scope = { restoreId: this.#table.scope.restoreId, oid: this.#table.restored.oid };
    const order = deciding === 'last' ? 'forwards' : 'backwards';
    for (let after: number | null = null; ; ) {
      const page = await readRestoredArchives(client, scope, order, after, pageSize);
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.ordinal;
      const batches = cut(order === 'forwards' ? page : page.toReversed());
      for (const archives of order === 'forwards' ? batches : batches.reverse()) {
        yield { archives, refs: await this.#find(archives) };
      }
    }
  }

  /** The archives as they were restored: one that has changed since is refused when it is read. */
  async #find(archives: readonly RestoredArchive[]): Promise<ArchiveRef[]> {
    const { store, signal } = this.#tools;
    const keys = archives.map(({ key }) => key);
    const found = new Map((await findArchives(store, [''], keys, signal)).map((ref) => [ref.name, ref]));
    return archives.map(({ key, etag, bytes }) => {
      const { metadata } = found.get(key) ?? { metadata: 'none' as const };
      return { name: key, bytes, etag, metadata };
    });
  }

  async #compare(batch: Batch): Promise<void> {
    const error = await this.#attempt(batch);
    if (error === null) return;
    const { archives, refs } = batch;
    if (archives.length > 1) {
      const single = archives.map((archive, place) => ({
        archives: [archive],
        refs: refs.slice(place, place + 1),
      }));
      const ordered = this.#comparison.deciding === 'first' ? single.reverse() : single;
      for (const each of ordered) await this.#compare(each);
      return;
    }
    if (error === 'mixed') throw new Error('one archive has no order among archives');
    const { code, message, hint } = error;
    this.#unverified.push({ archive: archives[0]?.key ?? '', code, message, hint });
    this.#done(archives);
  }

  /** @returns null when it was compared; why it has to be done archive by archive */
  async #attempt({ archives, refs }: Batch): Promise<ThawError | 'mixed' | null> {
    const { client } = this.#comparison;
    const kept = await this.#keptRows(archives);
    const copier = this.#copier(refs, kept);
    const columns = writtenColumns(this.#table.target);
    await client.query('savepoint thaw_batch');
    for (;;) {
      const sink = new CompareSink(this.#comparison, columns, archives);
      try {
        const copied = await copier.copy([...archives.keys()], sink, this.#range);
        if (sink.shapes > 1 && archives.length > 1) {
          await client.query('rollback to savepoint thaw_batch');
          return 'mixed';
        }
        const batch = await sink.compare(this.#table.timeColumn, this.#range);
        await client.query('release savepoint thaw_batch');
        this.#add(batch, copied.size);
        this.#rejected += kept.rows;
        this.#done(archives);
        return null;
      } catch (raw) {
        this.#tools.signal.throwIfAborted();
        if (!(raw instanceof RestartNested)) {
          const error = databaseError(raw, { object: this.#comparison.target.table });
          if (!isAboutArchive(error)) throw error;
          await sink.abandon();
          await client.query('rollback to savepoint thaw_batch');
          return error;
        }
        await sink.abandon();
        await client.query('rollback to savepoint thaw_batch');
      }
    }
  }

  /** The rows of archives that the restore left out, and that no retry has brought since. */
  async #keptRows(archives: readonly RestoredArchive[]): Promise<KeptRows> {
    const { scope, restored } = this.#table;
    const keys = archives.flatMap(({ key, rejected }) => (rejected > 0 ? [key] : []));
    if (keys.length === 0) return new KeptRows([]);
    const { client } = this.#comparison;
    const lines = await readKeptNumbers(client, { restoreId: scope.restoreId, oid: restored.oid }, keys);
    return new KeptRows(archives.map(({ key }) => lines.get(key) ?? new Set()));
  }

  #copier(archives: readonly ArchiveRef[], kept: KeptRows): ArchiveCopier {
    const { scope, options, target, restored, schemas } = this.#table;
    const { store, signal } = this.#tools;
    const reader = new ArchiveReader(store, '', archives, { checksums: options.validateChecksums, signal });
    const input: LoadInput = {
      ...{ scope, options, archives, folder: '', named: true, firstOrdinal: 0, what: 'verify' },
      target: { oid: restored.oid, epoch: 0, ordered: false },
    };
    const tools = { target, progress: new LoadProgress(), sharedFolder: false, schemas };
    return new ArchiveCopier(input, tools, reader, kept);
  }

  #add({ rows, equal, superseded }: { rows: number; equal: number; superseded: number }, archives: number) {
    this.#rows += rows;
    this.#equal += equal;
    this.#superseded += superseded;
    this.#compared += archives;
  }

  #done(archives: readonly RestoredArchive[]): void {
    this.#tools.onArchives(
      archives.length,
      archives.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  #notices(differing: number): string[] {
    const { restored, options } = this.#table;
    const { skipped, failed, laterRestores } = restored;
    const isSkip = options.conflictStrategy === 'skip' && skipped > 0 && differing > 0;
    return [
      ...(isSkip
        ? [
            `The restore skipped ${skipped} rows whose key was there: rows that differ may be those that it was to keep.`,
          ]
        : []),
      ...(failed > 0 ? [`${failed} archives failed in this restore and are not compared.`] : []),
      ...(laterRestores.length > 0
        ? [`Changed since by other restores, which may account for differences: ${laterRestores.join(', ')}.`]
        : []),
    ];
  }
}

/** The key that rows are found by: the one asked for, that of the conflict strategy, or any other. */
function comparedKey(target: TargetTable, { keyColumns }: RestoreOptions): ComparedKey | null {
  if (keyColumns !== null) return { columns: keyColumns, nullsNotDistinct: false };
  const key = target.conflictKey ?? target.keys.find(isPlain);
  if (key === undefined) return null;
  return { columns: key.columns, nullsNotDistinct: key.nullsNotDistinct };
}

function cut(archives: readonly RestoredArchive[]): RestoredArchive[][] {
  const batches: RestoredArchive[][] = [];
  let bytes = 0;
  for (const archive of archives) {
    const last = batches.at(-1);
    const fits = last !== undefined && last.length < batchArchives && bytes + archive.bytes <= batchBytes;
    if (fits) last.push(archive);
    else batches.push([archive]);
    bytes = (fits ? bytes : 0) + archive.bytes;
  }
  return batches;
}
