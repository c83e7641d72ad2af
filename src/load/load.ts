import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { RestartNested } from '../archive/slice-error.ts';
import { Slicer } from '../archive/slicer.ts';
import type { ArchiveRef, DeferredArchive, LoadInput, LoadOutcome } from '../contract/activities.ts';
import { type ArchiveFailure, maxFailuresKept, type RowCounts, type Tally } from '../contract/outcome.ts';
import { type Stage, ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';
import { disconnect } from '../postgres/connection.ts';
import {
  claimArchives,
  type DecidedArchive,
  failArchive,
  type LedgerArchive,
  type LedgerScope,
  readDecided,
  settleArchives,
} from '../postgres/ledger.ts';
import { databaseError, isAboutTarget, isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { endSessions, loadPrefix, readTurn } from '../postgres/targets.ts';
import { addTallies, emptyTally } from '../restore/tally.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { ArchiveReader, type OpenArchive } from './archive-reader.ts';
import type { ConflictHints } from './conflict-hints.ts';
import type { LoadProgress } from './load-progress.ts';
import { DirectSink, type Sink, StagedSink } from './sink.ts';
import { awaitTurn, GiveWay } from './turn.ts';
import { verifyChecksums, verifyCount, verifyOrigin } from './verify.ts';

/** What a load works with. */
export interface LoadTools {
  readonly store: ObjectStore;
  readonly target: TargetTable;
  readonly progress: LoadProgress;
  readonly hints: ConflictHints;
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
  const client = await tools.connect(prefix + tools.attempt);
  const load = new Load(input, tools, client);
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
  readonly #ledger: LedgerScope;
  readonly #reader: ArchiveReader;
  /** What rows may be written to: COPY refuses generated columns. */
  readonly #columns: readonly TargetColumn[];
  readonly #generated: ReadonlySet<string>;
  /** Columns of json found to hold nested values, by archive. */
  readonly #nested = new Map<number, Set<string>>();
  readonly #unknown = new Map<string, number>();
  /** Under way. */
  #commit: Promise<unknown> | null = null;
  #tally: Tally = emptyTally;
  #failures: ArchiveFailure[] = [];
  #deferred: DeferredArchive[] = [];

  constructor(input: LoadInput, tools: LoadTools, client: pg.Client) {
    this.#input = input;
    this.#tools = tools;
    this.#client = client;
    this.#ledger = {
      restoreId: input.scope.restoreId,
      target: input.target,
      store: tools.store.name,
      what: input.what,
      attempt: tools.attempt,
    };
    this.#reader = new ArchiveReader(tools.store, input.folder, input.archives, {
      checksums: input.options.validateChecksums,
      signal: tools.signal,
    });
    this.#columns = tools.target.columns.filter((column) => column.generated === null);
    this.#generated = new Set(
      tools.target.columns.flatMap((column) => (column.generated === null ? [] : [column.name])),
    );
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
    return {
      tally: this.#tally,
      failures: this.#failures.slice(0, maxFailuresKept),
      deferred: this.#deferred,
      notices: this.#notices(),
    };
  }

  /** Takes over what an earlier attempt has decided, and gives what is left. */
  async #undecided(): Promise<Part> {
    const { archives, firstOrdinal, target, scope } = this.#input;
    const all = { from: 0, to: archives.length };
    const next = await readTurn(this.#client, scope.restoreId, target);
    if (!target.ordered) return all;
    const from = Math.min(Math.max(next - firstOrdinal, 0), archives.length);
    await this.#takeOver({ from: 0, to: from });
    return { from, to: archives.length };
  }

  async #decide(part: Part): Promise<void> {
    try {
      await this.#together(part);
    } catch (error) {
      if (!isAboutArchive(error)) throw error;
      if (part.to - part.from === 1) await this.#fail(part.from, error);
      else
        for (let index = part.from; index < part.to; index++)
          await this.#decide({ from: index, to: index + 1 });
    }
  }

  /** Loads a part in one transaction: straight into the target, or staged where that finds a conflict. */
  async #together(part: Part): Promise<void> {
    const { target, hints } = this.#tools;
    if (target.stagedOnly === null && !hints.expectsConflict(this.#ledger)) {
      const done = await this.#attempt(part, 'direct');
      if (done) return;
      hints.foundConflict(this.#ledger);
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
        const rows = await this.#copy(claimed, sink);
        await this.#commitPart(part, claimed, rows, sink, way);
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
      const claims = await claimArchives(this.#client, this.#ledger, archives, ignoreWatermark);
      await this.#client.query('set local lock_timeout = 0');
      this.#earlier = archives.filter(({ key }) => claims.get(key) === 'earlier');
      this.#decided = archives.filter(({ key }) => claims.get(key) === 'decided').map(({ key }) => key);
      return archives.flatMap(({ key }, place) => (claims.get(key) === 'claimed' ? [part.from + place] : []));
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
      await this.#client.query('rollback');
      const { restoreId, target } = this.#ledger;
      await endSessions(this.#client, loadPrefix(restoreId, target.oid, this.#input.firstOrdinal));
      await this.#client.query('begin');
      return this.#claim(part);
    }
  }

  /** Found by the last claim. */
  #earlier: LedgerArchive[] = [];
  #decided: string[] = [];

  #openSink(way: 'direct' | 'staged'): Sink {
    const { target } = this.#tools;
    return way === 'direct'
      ? new DirectSink(this.#client, target, this.#columns)
      : new StagedSink(this.#client, target, this.#columns, this.#input.options.conflictStrategy);
  }

  /** @returns the records of each archive */
  async #copy(indexes: readonly number[], sink: Sink): Promise<Map<number, number>> {
    this.#unknown.clear();
    const rows = new Map<number, number>();
    for (const index of indexes) rows.set(index, await this.#copyArchive(index, sink));
    this.#tools.progress.enter('copy', this.#input.what);
    await sink.flush();
    return rows;
  }

  async #copyArchive(index: number, sink: Sink): Promise<number> {
    const { progress } = this.#tools;
    const key = this.#keyAt(index);
    progress.enter('download', key);
    const archive = await this.#reader.open(index);
    verifyOrigin(key, archive.metadata, this.#input.scope.table.schema);
    progress.enter('copy', key);
    const slicer = this.#slicer(index, key);
    const rest = archive.chunks[Symbol.asyncIterator]();
    try {
      for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
        const before = slicer.rows;
        for (const piece of slicer.push(next.value)) await sink.write(index, piece);
        progress.move(next.value.length, slicer.rows - before);
      }
      for (const piece of slicer.end()) await sink.write(index, piece);
    } catch (error) {
      if (error instanceof RestartNested) this.#noteNested(index, error.column);
      else await this.#blameChecksum(archive, rest, error);
      throw error;
    }
    if (this.#input.options.validateChecksums) verifyChecksums(archive);
    verifyCount(archive, slicer.rows);
    this.#checkColumns(key, slicer);
    return slicer.rows;
  }

  /** An error within an archive whose checksum is wrong is the fault of its bytes: so it is read to its end. */
  async #blameChecksum(archive: OpenArchive, rest: AsyncIterator<Buffer>, error: unknown): Promise<void> {
    if (!isAboutArchive(this.#translate(error))) return;
    if (!this.#input.options.validateChecksums) return;
    try {
      while ((await rest.next()).done !== true);
    } catch {
      // What ends the bytes early is the error at hand, or follows from it.
      return;
    }
    verifyChecksums(archive);
  }

  #slicer(index: number, key: string): Slicer {
    return new Slicer(
      this.#columns.map(({ name, type }) => ({ name, key: name, type })),
      { archive: key, nestedJson: this.#nested.get(index), ignoredKeys: this.#generated },
    );
  }

  /** Columns that the table does not have are left out by lenient and transform, and refused otherwise. */
  #checkColumns(key: string, slicer: Slicer): void {
    const { schemaStrategy } = this.#input.options;
    for (const [column, values] of slicer.unknownKeys) {
      if (schemaStrategy === 'strict' || schemaStrategy === 'none') throw this.#unknownColumn(key, column);
      this.#unknown.set(column, (this.#unknown.get(column) ?? 0) + values);
    }
  }

  #unknownColumn(key: string, column: string): ThawError {
    const { schema, table } = this.#tools.target;
    return new ThawError('SchemaIncompatible', `${key}: ${schema}.${table} has no column ${column}.`, {
      object: key,
      stage: 'slice',
      hint: 'Add the column, or leave it out with --schema-migration-strategy lenient.',
    });
  }

  async #commitPart(
    part: Part,
    claimed: readonly number[],
    rows: ReadonlyMap<number, number>,
    sink: Sink,
    way: 'direct' | 'staged',
  ): Promise<void> {
    const { progress, signal } = this.#tools;
    progress.enter('commit', this.#input.what);
    await awaitTurn(this.#client, this.#turnClaim(part), way === 'direct' && claimed.length > 0, signal);
    progress.enter('merge', this.#input.what);
    const counts = await sink.merge();
    const settled = claimed.map((index) => ({
      key: this.#keyAt(index),
      rows: rows.get(index) ?? 0,
      counts: counts.get(index) ?? emptyTally.rows,
    }));
    await settleArchives(this.#client, this.#ledger, settled);
    await this.#commitTransaction();
    if (way === 'staged' && settled.every(({ rows, counts }) => counts.inserted === rows)) {
      this.#tools.hints.foundNone(this.#ledger);
    }
    await this.#count(claimed, settled);
  }

  async #commitTransaction(): Promise<void> {
    this.#commit = this.#client.query('commit');
    await this.#commit;
    this.#commit = null;
  }

  async #count(
    claimed: readonly number[],
    settled: readonly { readonly counts: RowCounts }[],
  ): Promise<void> {
    const bytes = claimed.reduce((sum, index) => sum + (this.#input.archives[index]?.bytes ?? 0), 0);
    this.#add({
      archives: { restored: claimed.length, earlier: 0, failed: 0 },
      rows: emptyTally.rows,
      bytes,
    });
    for (const { counts } of settled) this.#add({ ...emptyTally, rows: counts });
    this.#addEarlier(this.#earlier);
    await this.#takeOverKeys(this.#decided);
  }

  #addEarlier(archives: readonly { readonly bytes: number }[]): void {
    this.#add({
      ...emptyTally,
      archives: { restored: 0, earlier: archives.length, failed: 0 },
      bytes: archives.reduce((sum, { bytes }) => sum + bytes, 0),
    });
  }

  /** Decides that an archive failed, in a transaction of its own, and moves the turn on. */
  async #fail(index: number, error: ThawError): Promise<void> {
    const part = { from: index, to: index + 1 };
    const key = this.#keyAt(index);
    const deferred = this.#isSelfReference(error);
    const failure: ArchiveFailure = {
      archive: key,
      code: error.code,
      message: this.#naming(key, error),
      hint: error.hint,
      stage: error.stage ?? null,
      rows: await this.#recordsOf(index),
    };
    try {
      await this.#client.query('begin');
      const claimed = await this.#claim(part);
      if (claimed.length > 0) await failArchive(this.#client, this.#ledger, failure, deferred);
      await awaitTurn(this.#client, this.#turnClaim(part), false, this.#tools.signal);
      await this.#commitTransaction();
      await this.#takeOverKeys([key]);
    } catch (raw) {
      await this.#rollBack(null);
      throw this.#translate(raw);
    }
  }

  /** The message of an error; PostgreSQL's knows the table only, and is about this archive. */
  #naming(key: string, { object, message }: ThawError): string {
    return object?.startsWith(this.#input.folder) ? message : `${key}: ${message}`;
  }

  /** Records of an archive that failed, by its metadata; 0 where that cannot be had. */
  async #recordsOf(index: number): Promise<number> {
    try {
      return (await this.#reader.metadata(index))?.recordCount ?? 0;
    } catch (error) {
      if (error instanceof ThawError && isAboutArchive(error)) return 0;
      throw error;
    }
  }

  async #takeOver(part: Part): Promise<void> {
    await this.#takeOverKeys(this.#ledgerArchives(part).map(({ key }) => key));
  }

  /** Adds what the ledger says that this restore decided. */
  async #takeOverKeys(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const decided = await readDecided(this.#client, this.#ledger, keys);
    for (const archive of decided) this.#takeOverArchive(archive);
    const known = new Set(decided.map(({ key }) => key));
    const others = this.#input.archives.filter((archive) => {
      const key = this.#reader.keyOf(archive);
      return keys.includes(key) && !known.has(key);
    });
    this.#addEarlier(others);
  }

  #takeOverArchive(archive: DecidedArchive): void {
    const { failure, bytes } = archive;
    if (failure === null) {
      this.#add({ archives: { restored: 1, earlier: 0, failed: 0 }, rows: archive.counts, bytes });
    } else if (archive.deferred) {
      const index = this.#input.archives.findIndex((ref) => this.#reader.keyOf(ref) === archive.key);
      this.#deferred.push({ index, failure });
    } else {
      this.#failures.push(failure);
      this.#add({
        archives: { restored: 0, earlier: 0, failed: 1 },
        rows: { ...emptyTally.rows, failed: failure.rows },
        bytes,
      });
    }
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
    const stage: Stage = this.#tools.progress.stage;
    return databaseError(raw, { object: `${schema}.${table}`, stage });
  }

  #noteNested(index: number, column: string): void {
    const columns = this.#nested.get(index) ?? new Set();
    this.#nested.set(index, columns.add(column));
  }

  #isSelfReference(error: unknown): boolean {
    if (!(error instanceof ThawError) || error.sqlstate !== sqlState.foreignKeyViolation) return false;
    return this.#tools.target.selfReferences.some(({ name }) =>
      error.message.includes(`constraint ${name},`),
    );
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

  #keyAt(index: number): string {
    return this.#reader.keyOf(this.#archiveAt(index));
  }

  #archiveAt(index: number): ArchiveRef {
    const archive = this.#input.archives[index];
    if (archive === undefined) throw new RangeError(`The load has no archive ${index}`);
    return archive;
  }

  #add(tally: Tally): void {
    this.#tally = addTallies(this.#tally, tally);
  }

  #notices(): string[] {
    return [...this.#unknown].map(
      ([column, values]) =>
        `Column ${column} of the archives is not in the table and was left out: ${values} value(s) in ${this.#input.what}.`,
    );
  }
}

function isConflict(error: unknown): boolean {
  return isSqlState(error, sqlState.uniqueViolation, sqlState.exclusionViolation, sqlState.deadlockDetected);
}

/** Errors whose answer is that one archive failed while the others go on. */
function isAboutArchive(error: unknown): error is ThawError {
  return (
    error instanceof ThawError &&
    !error.retryable &&
    !isAboutTarget(error) &&
    error.code !== 'TargetBusy' &&
    error.code !== 'InputInvalid'
  );
}
