import type pg from 'pg';
import type { AskedRange } from '../config/row-range.ts';
import type { ArchiveRef, HeldTarget, LoadOutcome, TableScope } from '../contract/activities.ts';
import type { ArchiveFailure, RowCounts } from '../contract/outcome.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { ConflictHints } from '../load/conflict-hints.ts';
import { findArchives } from '../load/listing.ts';
import { loadArchives } from '../load/load.ts';
import { LoadProgress } from '../load/load-progress.ts';
import { readSchemas } from '../postgres/archived-schemas.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { analyzeTable } from '../postgres/indexes.ts';
import { type KeptArchive, lockRetry, readKeptArchives } from '../postgres/kept-rows.ts';
import { advanceSequences } from '../postgres/sequences.ts';
import { releaseTarget, takeTarget } from '../postgres/targets.ts';
import { formLoads } from '../restore/packs.ts';
import { addTallies, emptyTally } from '../restore/tally.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { KeptRowsLedger } from './kept-rows-ledger.ts';
import { KeptRowsStore } from './kept-rows-store.ts';

/** Archives in one transaction, as most have a few kept rows. */
const together = 50;
/** Says that an archive is not to be fetched ahead: its lines are read from PostgreSQL, in their turn. */
const unknownBytes = Number.MAX_SAFE_INTEGER;

/** A table of which rows are kept. */
export interface RetriedTable {
  /** Of the restore that left them out. */
  readonly scope: TableScope;
  /** Of that restore, with what is asked for differently now. */
  readonly options: RestoreOptions;
  readonly target: TargetTable;
  readonly range: AskedRange | null;
}

/** What a retry works with. */
export interface RetryTools {
  /** That the archives came from. */
  readonly store: ObjectStore;
  readonly signal: AbortSignal;
  connect(applicationName: string): Promise<pg.Client>;
}

/** What came of the kept rows of a table. */
export interface RetriedRows {
  /** Those that were kept. */
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  /** Their keys are there. */
  readonly skipped: number;
  /** Still kept. */
  readonly remaining: number;
  /** Archives of which nothing was loaded; some, where they are many. */
  readonly failures: readonly ArchiveFailure[];
  readonly notices: readonly string[];
}

/**
 * Loads the kept rows of a table once more, as the restore that left them out did. Rows and the record of them
 * commit together, so it may be broken off at any moment and asked for again.
 *
 * @param client in no transaction
 * @throws ThawError `TargetBusy` while a restore or another retry works on the table; errors of the moment
 */
export async function retryTable(
  client: pg.Client,
  table: RetriedTable,
  tools: RetryTools,
): Promise<RetriedRows> {
  const { scope, target } = table;
  const { restoreId } = scope;
  const kept = { restoreId, oid: target.rootOid };
  const archives = await readKeptArchives(client, kept);
  const rows = sumRows(archives);
  const none = { inserted: 0, updated: 0, skipped: 0, failures: [], notices: [] };
  if (rows === 0) return { rows, remaining: 0, ...none };
  if (!(await lockRetry(client, kept))) throw alreadyRetried(table);
  const holder = `retry-${restoreId}`;
  const held = await takeTarget(
    client,
    { restoreId: holder, workflow: holder },
    { oid: target.rootOid, schema: target.schema, table: target.table, ordered: target.hasUnique },
  );
  try {
    const { counts, failures } = await new Retry(client, table, tools, held, holder).run(archives);
    const { inserted, updated, skipped } = counts;
    const notices: string[] = [];
    if (inserted + updated > 0) {
      notices.push(...(await advanceSequences(client, target)), ...(await analyzeTable(client, target)));
    }
    const remaining = sumRows(await readKeptArchives(client, kept));
    return { rows, inserted, updated, skipped, remaining, failures, notices };
  } finally {
    // Where the connection is lost, it is free once its lease has run out.
    await releaseTarget(client, holder, held).catch(() => {});
  }
}

class Retry {
  readonly #client: pg.Client;
  readonly #table: RetriedTable;
  readonly #tools: RetryTools;
  readonly #held: HeldTarget;
  readonly #holder: string;
  readonly #failures: ArchiveFailure[] = [];
  #tally = emptyTally;
  #next = 0;

  constructor(client: pg.Client, table: RetriedTable, tools: RetryTools, held: HeldTarget, holder: string) {
    this.#client = client;
    this.#table = table;
    this.#tools = tools;
    this.#held = held;
    this.#holder = holder;
  }

  async run(archives: readonly KeptArchive[]): Promise<{ counts: RowCounts; failures: ArchiveFailure[] }> {
    const { store, signal } = this.#tools;
    const keys = archives.map(({ key }) => key);
    const found = await findArchives(store, [''], keys, signal);
    // As many as there are may be refused once more.
    const maxRejects = Math.max(...archives.map(({ rows }) => rows));
    let left: readonly Deferred[] = found.map((ref) => ({
      ref: { ...ref, bytes: unknownBytes },
      failure: null,
    }));
    // A row may refer to one that another archive brings: as long as a round brings any, there is another.
    for (let before = Number.POSITIVE_INFINITY; left.length > 0 && left.length < before; ) {
      before = left.length;
      left = await this.#round(
        left.map(({ ref }) => ref),
        maxRejects,
      );
    }
    this.#failures.push(...left.flatMap(({ failure }) => failure ?? []));
    return { counts: this.#tally.rows, failures: this.#failures };
  }

  /** @returns what another round may bring */
  async #round(refs: readonly ArchiveRef[], maxRejects: number): Promise<Deferred[]> {
    const deferred: Deferred[] = [];
    const loads = formLoads(refs, this.#next, { packBytes: 0, commitFrequency: together });
    this.#next += refs.length;
    for (const { archives, firstOrdinal } of loads) {
      const outcome = await this.#load(archives, firstOrdinal, maxRejects);
      this.#tally = addTallies(this.#tally, outcome.tally);
      this.#failures.push(...outcome.failures);
      for (const { index, failure } of outcome.deferred) {
        const ref = archives[index];
        if (ref !== undefined) deferred.push({ ref, failure });
      }
    }
    return deferred;
  }

  async #load(
    archives: readonly ArchiveRef[],
    firstOrdinal: number,
    maxRejects: number,
  ): Promise<LoadOutcome> {
    const { scope, options, target, range } = this.#table;
    const { store, signal, connect } = this.#tools;
    const kept = { restoreId: scope.restoreId, oid: target.rootOid };
    return loadArchives(
      {
        scope: { ...scope, restoreId: this.#holder },
        target: this.#held,
        options: { ...options, maxRejects, validateChecksums: false },
        folder: '',
        archives,
        named: true,
        firstOrdinal,
        what: 'retry',
      },
      {
        store: new KeptRowsStore(store, this.#client, kept),
        ledger: new KeptRowsLedger(kept),
        undoneWith: scope.restoreId,
        target,
        progress: new LoadProgress(),
        hints: new ConflictHints(),
        range,
        schemas: await readSchemas(this.#client, scope.restoreId, target.rootOid),
        sharedFolder: false,
        attempt: 1,
        signal,
        connect,
      },
    );
  }
}

/** An archive to be loaded, and why it was not so far. */
interface Deferred {
  readonly ref: ArchiveRef;
  readonly failure: ArchiveFailure | null;
}

function sumRows(archives: readonly KeptArchive[]): number {
  return archives.reduce((sum, { rows }) => sum + rows, 0);
}

function alreadyRetried({ scope, target }: RetriedTable): ThawError {
  const object = `${target.schema}.${target.table}`;
  return new ThawError(
    'TargetBusy',
    `${object}: the rows that restore ${scope.restoreId} left out are being retried already.`,
    { object, hint: 'Wait until the other `thaw rejects retry` has ended.' },
  );
}
