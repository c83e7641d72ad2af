import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { RestartNested } from '../archive/slice-error.ts';
import type { AskedRange } from '../config/row-range.ts';
import type { LoadInput, LoadOutcome } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { disconnect } from '../postgres/connection.ts';
import { type KeptImages, keptImages } from '../postgres/kept-images.ts';
import type { LedgerArchive } from '../postgres/ledger.ts';
import { databaseError, isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { endSessions, loadPrefix, readTurn } from '../postgres/targets.ts';
import { readTimeRange } from '../postgres/time-range.ts';
import { isPartial } from '../restore/partial.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import { emptyTally } from '../restore/tally.ts';
import type { ArchiveStore } from '../store/object-store.ts';
import { ArchiveCopier, type CopiedArchive, nothingCopied } from './archive-copier.ts';
import { isAboutArchive, isConflict } from './archive-error.ts';
import { archiveFailure } from './archive-failure.ts';
import { ArchiveReader } from './archive-reader.ts';
import type { ConflictHints } from './conflict-hints.ts';
import { ArchiveLedger, type LoadLedger } from './load-ledger.ts';
import type { LoadProgress } from './load-progress.ts';
import { LoadResults } from './load-results.ts';
import { ambiguousOrigin } from './origin.ts';
import { RefusedRows } from './refused-rows.ts';
import { Rejects } from './rejects.ts';
import { DirectSink, type Sink, StagedSink } from './sink.ts';
import { awaitTurn, GiveWay } from './turn.ts';
import { writtenColumns } from './written-columns.ts';

/** What a load works with. */
export interface LoadTools {
  readonly store: ArchiveStore;
  readonly target: TargetTable;
  readonly progress: LoadProgress;
  readonly hints: ConflictHints;
  /** Only rows of this time; null: all. */
  readonly range: AskedRange | null;
  /** That the restore has found with its archives. */
  readonly schemas: readonly SchemaMark[];
  /** The folder is configured for tables of several schemas. */
  readonly sharedFolder: boolean;
  /** What is undone together with the load. @default the restore of the load */
  readonly undoneWith?: string;
  /** @default the ledger of restored archives */
  readonly ledger?: LoadLedger;
  /** Of the activity: names the session, so that a later attempt can end it. */
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** Opens a connection under a name. */
  connect(applicationName: string): Promise<pg.Client>;
}

/** How long a claim waits for another attempt at the same archives before it ends that attempt's session. */
const claimTimeout = '15s';

/** Milliseconds that a commit gets to be answered when the load is cancelled. */
const lastAnswer = 5_000;

/**
 * Loads one archive or a pack in one transaction, and decides each of its archives: restored, restored
 * earlier, or failed. When one fails, all are done again, a transaction for each.
 *
 * @throws ThawError for what is not about one archive: errors of the moment, and of target or store as a whole
 */
export async function loadArchives(input: LoadInput, tools: LoadTools): Promise<LoadOutcome> {
  const prefix = loadPrefix(input.scope.restoreId, input.target.oid, input.firstOrdinal);
  const { undoneWith = input.scope.restoreId } = tools;
  const kept = input.options.undoable ? keptImages(tools.target, undoneWith) : null;
  const client = await tools.connect(prefix + tools.attempt);
  const load = new Load(input, tools, client, kept);
  // Ends the statement under way as well; PostgreSQL rolls back when it notices.
  const abandon = () => void load.commitEnded().then(() => disconnect(client));
  tools.signal.addEventListener('abort', abandon, { once: true });
  try {
    return await load.run();
  } finally {
    tools.signal.removeEventListener('abort', abandon);
    void disconnect(client);
  }
}

/** A consecutive part of the load's archives. */
interface Part {
  /** Index of the first in the load. */
  readonly from: number;
  /** Index behind the last. */
  readonly to: number;
}

class Load {
  readonly #input: LoadInput;
  readonly #tools: LoadTools;
  readonly #client: pg.Client;
  readonly #ledger: LoadLedger;
  readonly #reader: ArchiveReader;
  readonly #copier: ArchiveCopier;
  readonly #results = new LoadResults();
  readonly #rejects: Rejects;
  /** Keeps what is changed; null: nothing. */
  readonly #kept: KeptImages | null;
  /** Only rows of this time, which only staged ones can be asked for. */
  #range: TimeRange | null = null;
  /** Under way. */
  #commit: Promise<unknown> | null = null;
  /** Found by the last claim. */
  #earlier: readonly LedgerArchive[] = [];
  #decided: readonly LedgerArchive[] = [];

  constructor(input: LoadInput, tools: LoadTools, client: pg.Client, kept: KeptImages | null) {
    this.#kept = kept;
    this.#input = input;
    this.#tools = tools;
    this.#client = client;
    this.#rejects = new Rejects(input.options.maxRejects);
    this.#ledger =
      tools.ledger ??
      new ArchiveLedger({
        restoreId: input.scope.restoreId,
        target: input.target,
        store: tools.store.name,
        what: input.what,
        attempt: tools.attempt,
        partial: isPartial(input.options),
      });
    this.#reader = new ArchiveReader(tools.store, input.folder, input.archives, {
      checksums: input.options.validateChecksums,
      signal: tools.signal,
    });
    this.#copier = new ArchiveCopier(input, tools, this.#reader, this.#rejects);
  }

  /**
   * Resolves once no commit is under way, or none is answered: a cancelled load that has committed after all
   * tells what it did, and nobody else could.
   */
  async commitEnded(): Promise<void> {
    if (this.#commit === null) return;
    const answered = this.#commit.catch(() => {});
    await Promise.race([answered, delay(lastAnswer, undefined, { ref: false })]);
  }

  async run(): Promise<LoadOutcome> {
    const rest = await this.#undecided().catch((raw: unknown) => {
      throw this.#translate(raw);
    });
    if (rest.from < rest.to) await this.#decide(rest);
    return this.#results.outcome();
  }

  /** Takes over what an earlier attempt has decided, and gives what is left. */
  async #undecided(): Promise<Part> {
    const { archives, firstOrdinal, target, scope } = this.#input;
    const { range, target: table } = this.#tools;
    this.#range = range === null ? null : await readTimeRange(this.#client, table, range);
    const all = { from: 0, to: archives.length };
    const next = await readTurn(this.#client, scope.restoreId, target);
    if (!target.ordered) return all;
    const from = Math.min(Math.max(next - firstOrdinal, 0), archives.length);
    await this.#takeOver(this.#ledgerArchives({ from: 0, to: from }));
    return { from, to: archives.length };
  }

  async #decide(part: Part): Promise<void> {
    try {
      await this.#together(part);
    } catch (error) {
      if (!isAboutArchive(error)) throw error;
      if (part.to - part.from === 1) await this.#decideBad(part, error);
      else
        for (let index = part.from; index < part.to; index++)
          await this.#decide({ from: index, to: index + 1 });
    }
  }

  /** Decides an archive by itself that could not be loaded as it is: without its refused rows, or as failed. */
  async #decideBad(part: Part, error: ThawError): Promise<void> {
    const known = this.#rejects.refusedBy(part.from).size;
    try {
      if (this.#mayLeaveOut(error)) await this.#findRefused(part);
    } catch (worse) {
      if (!isAboutArchive(worse)) throw worse;
      return this.#fail(part.from, worse);
    }
    if (this.#rejects.refusedBy(part.from).size > known) await this.#decide(part);
    else await this.#fail(part.from, error);
  }

  /** PostgreSQL refused a row. One that refers to a row of the table itself may find it in a later archive. */
  #mayLeaveOut(error: ThawError): boolean {
    const isRefused = error.code === 'RowRejected' && error.sqlstate !== undefined;
    return this.#rejects.max > 0 && isRefused && !this.#isSelfReference(error);
  }

  /** Finds the rows of an archive that PostgreSQL refuses once its turn has come, and writes nothing. */
  async #findRefused(part: Part): Promise<void> {
    const { target, signal } = this.#tools;
    const key = this.#reader.keyAt(part.from);
    const { conflictStrategy } = this.#input.options;
    for (;;) {
      try {
        await this.#client.query('begin');
        const claimed = await this.#claim(part);
        const sink = new RefusedRows(
          this.#client,
          target,
          writtenColumns(target),
          conflictStrategy,
          this.#range,
          (line, error) => {
            if (!this.#isSelfReference(error)) this.#rejects.refuse(part.from, key, line, error);
          },
        );
        await this.#copier.copy(claimed, sink, this.#range);
        await awaitTurn(this.#client, this.#turnClaim(part), false, signal);
        await sink.merge();
        return await this.#rollBack(null);
      } catch (raw) {
        const error = this.#translate(raw);
        await this.#rollBack(null);
        if (!(error instanceof RestartNested)) throw error;
      }
    }
  }

  /** Loads a part in one transaction: straight into the target, or staged where that finds a conflict. */
  async #together(part: Part): Promise<void> {
    const { target, hints } = this.#tools;
    const mayCopy = target.stagedOnly === null && this.#range === null && this.#kept === null;
    if (mayCopy && !hints.expectsConflict(this.#taken)) {
      const done = await this.#attempt(part, 'direct');
      if (done) return;
      hints.foundConflict(this.#taken);
    }
    await this.#attempt(part, 'staged');
  }

  /** @returns false when the rows have to be staged instead */
  async #attempt(part: Part, way: 'direct' | 'staged'): Promise<boolean> {
    for (;;) {
      let sink: Sink | null = null;
      try {
        await this.#client.query('begin');
        const claimed = await this.#claim(part);
        sink = this.#openSink(way);
        const copied = await this.#copier.copy(claimed, sink, this.#range);
        await this.#commitPart(part, claimed, copied, sink, way);
        return true;
      } catch (raw) {
        const error = this.#translate(raw);
        await this.#rollBack(sink);
        if (error instanceof RestartNested) continue;
        if (way === 'direct' && (error instanceof GiveWay || this.#isTooEarly(error))) return false;
        throw error;
      }
    }
  }

  /** What may come of copying before earlier archives have committed: their rows were not there, or in the way. */
  #isTooEarly(error: unknown): boolean {
    return isConflict(error) || this.#isSelfReference(error);
  }

  /** Claims the archives of a part; what another attempt holds is waited for, and then taken from it. */
  async #claim(part: Part): Promise<number[]> {
    const archives = this.#ledgerArchives(part);
    const { ignoreWatermark } = this.#input.options;
    try {
      await this.#client.query(`set local lock_timeout = '${claimTimeout}'`);
      const claims = await this.#ledger.claim(this.#client, archives, ignoreWatermark);
      await this.#client.query('set local lock_timeout = 0');
      this.#earlier = archives.filter(({ key }) => claims.get(key) === 'earlier');
      this.#decided = archives.filter(({ key }) => claims.get(key) === 'decided');
      return archives.flatMap(({ key }, place) => (claims.get(key) === 'claimed' ? [part.from + place] : []));
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
      await this.#client.query('rollback');
      const { restoreId, target } = this.#taken;
      await endSessions(this.#client, loadPrefix(restoreId, target.oid, this.#input.firstOrdinal));
      await this.#client.query('begin');
      return this.#claim(part);
    }
  }

  #openSink(way: 'direct' | 'staged'): Sink {
    const { target } = this.#tools;
    const columns = writtenColumns(target);
    return way === 'direct'
      ? new DirectSink(this.#client, target, columns)
      : new StagedSink(this.#client, target, columns, this.#input.options, this.#range, this.#kept);
  }

  async #commitPart(
    part: Part,
    claimed: readonly number[],
    copied: ReadonlyMap<number, CopiedArchive>,
    sink: Sink,
    way: 'direct' | 'staged',
  ): Promise<void> {
    const { progress, signal } = this.#tools;
    progress.enter('commit', this.#input.what);
    await awaitTurn(this.#client, this.#turnClaim(part), way === 'direct' && claimed.length > 0, signal);
    await this.#refuseUntold(claimed, copied);
    progress.enter('merge', this.#input.what);
    const counts = await sink.merge();
    const settled = claimed.map((index) => {
      const archive = copied.get(index) ?? nothingCopied;
      const merged = counts.get(index) ?? emptyTally.rows;
      return {
        key: this.#reader.keyAt(index),
        ...archive,
        counts: { ...merged, failed: archive.rejected.length },
      };
    });
    await this.#ledger.settle(this.#client, settled);
    await this.#commitTransaction();
    if (way === 'staged' && settled.every(({ rows, counts }) => counts.inserted + counts.failed === rows)) {
      this.#tools.hints.foundNone(this.#taken);
    }
    for (const [place, index] of claimed.entries()) {
      const archive = this.#input.archives[index];
      const done = settled[place];
      if (archive === undefined || done === undefined) continue;
      if (done.foreignSchema !== null) this.#results.addForeign(archive, done.foreignSchema);
      else this.#results.addRestored(archive, done.counts, done.columnNotes);
    }
    this.#results.addEarlier(this.#earlier);
    await this.#takeOver(this.#decided);
  }

  /**
   * Whose an archive without metadata is, is told by those before it: all of them are decided when its turn comes.
   *
   * @throws ThawError `MetadataInvalid`
   */
  async #refuseUntold(claimed: readonly number[], copied: ReadonlyMap<number, CopiedArchive>): Promise<void> {
    if (![...copied.values()].some(({ isUntold }) => isUntold)) return;
    let isShared = await this.#ledger.hasForeign(this.#client);
    for (const index of claimed) {
      const { foreignSchema, isUntold } = copied.get(index) ?? nothingCopied;
      isShared ||= foreignSchema !== null;
      if (isUntold && isShared) {
        throw ambiguousOrigin(this.#reader.keyAt(index), this.#input.scope.table.schema);
      }
    }
  }

  async #commitTransaction(): Promise<void> {
    this.#commit = this.#client.query('commit');
    await this.#commit;
    this.#commit = null;
  }

  /** Decides that an archive failed, in a transaction of its own, and moves the turn on. */
  async #fail(index: number, error: ThawError): Promise<void> {
    const part = { from: index, to: index + 1 };
    const deferred = this.#isSelfReference(error);
    const failure = await archiveFailure(this.#reader, index, error);
    try {
      await this.#client.query('begin');
      const claimed = await this.#claim(part);
      if (claimed.length > 0) await this.#ledger.fail(this.#client, failure, deferred);
      await awaitTurn(this.#client, this.#turnClaim(part), false, this.#tools.signal);
      await this.#commitTransaction();
      await this.#takeOver(this.#ledgerArchives(part));
    } catch (raw) {
      await this.#rollBack(null);
      throw this.#translate(raw);
    }
  }

  /** Adds what the ledger says that this restore decided of archives; what it does not have, another one restored. */
  async #takeOver(archives: readonly LedgerArchive[]): Promise<void> {
    if (archives.length === 0) return;
    const keys = archives.map(({ key }) => key);
    const decided = await this.#ledger.decided(this.#client, keys);
    for (const archive of decided) this.#results.addDecided(archive, this.#reader.indexOf(archive.key));
    const known = new Set(decided.map(({ key }) => key));
    this.#results.addEarlier(archives.filter(({ key }) => !known.has(key)));
  }

  async #rollBack(sink: Sink | null): Promise<void> {
    try {
      await sink?.abandon();
      await this.#client.query('rollback');
    } catch (error) {
      // A lost connection has rolled back by itself; what lost it is the error at hand.
      if (!(error instanceof Error)) throw error;
    }
  }

  #translate(raw: unknown): unknown {
    if (this.#tools.signal.aborted) return this.#tools.signal.reason;
    if (raw instanceof GiveWay || raw instanceof RestartNested) return raw;
    const { schema, table } = this.#tools.target;
    return databaseError(raw, { object: `${schema}.${table}`, stage: this.#tools.progress.stage });
  }

  #isSelfReference(error: unknown): boolean {
    if (!(error instanceof ThawError) || error.sqlstate !== sqlState.foreignKeyViolation) return false;
    return this.#tools.target.selfReferences.some(({ name }) =>
      error.message.includes(`constraint ${name},`),
    );
  }

  /** The table that is loaded, and the restore that holds it. */
  get #taken() {
    return { restoreId: this.#input.scope.restoreId, target: this.#input.target };
  }

  #turnClaim(part: Part) {
    const { scope, target, firstOrdinal } = this.#input;
    return { restoreId: scope.restoreId, target, from: firstOrdinal + part.from, to: firstOrdinal + part.to };
  }

  #ledgerArchives(part: Part): LedgerArchive[] {
    return this.#input.archives.slice(part.from, part.to).map((archive, place) => ({
      key: this.#reader.keyOf(archive),
      etag: archive.etag,
      bytes: archive.bytes,
      ordinal: this.#input.firstOrdinal + part.from + place,
    }));
  }
}
