import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { RestartNested } from '../archive/slice-error.ts';
import type { LoadInput } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { KeptImages } from '../postgres/kept-images.ts';
import type { LedgerArchive } from '../postgres/ledger.ts';
import { databaseError, isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { endSessions, loadPrefix } from '../postgres/targets.ts';
import { isPartial } from '../restore/partial.ts';
import { ArchiveCopier } from './archive-copier.ts';
import { ArchiveReader } from './archive-reader.ts';
import { ArchiveLedger, type LoadLedger } from './load-ledger.ts';
import { LoadResults } from './load-results.ts';
import type { LoadTools } from './load-tools.ts';
import { Rejects } from './rejects.ts';
import type { Sink } from './sink.ts';
import { awaitTurn, GiveWay } from './turn.ts';

/** How long a claim waits for another attempt at the same archives before it ends that attempt's session. */
const claimTimeout = '15s';

/** Milliseconds that a commit gets to be answered when the load is cancelled. */
const lastAnswer = 5_000;

/** A consecutive part of the load's archives. */
export interface Part {
  /** Index of the first in the load. */
  readonly from: number;
  /** Index behind the last. */
  readonly to: number;
}

/** What came of claiming the archives of a part. */
export interface PartClaim {
  /** Places in the load of those that are to be loaded now. */
  readonly claimed: readonly number[];
  /** Another restore has restored them. */
  readonly earlier: readonly LedgerArchive[];
  /** This restore has decided them. */
  readonly decided: readonly LedgerArchive[];
}

/** A load on its connection: one transaction after another, each of which claims what it loads and waits for its turn. */
export class LoadSession {
  readonly input: LoadInput;
  readonly tools: LoadTools;
  readonly client: pg.Client;
  readonly ledger: LoadLedger;
  readonly reader: ArchiveReader;
  readonly copier: ArchiveCopier;
  readonly rejects: Rejects;
  readonly results = new LoadResults();
  /** Keeps what is changed; null: nothing. */
  readonly kept: KeptImages | null;
  /** Only rows of this time, which only staged ones can be asked for; null: all. */
  range: TimeRange | null = null;
  /** Under way. */
  #commit: Promise<unknown> | null = null;

  constructor(input: LoadInput, tools: LoadTools, client: pg.Client, kept: KeptImages | null) {
    this.kept = kept;
    this.input = input;
    this.tools = tools;
    this.client = client;
    this.rejects = new Rejects(input.options.maxRejects);
    this.ledger =
      tools.ledger ??
      new ArchiveLedger({
        restoreId: input.scope.restoreId,
        target: input.target,
        store: tools.store.name,
        what: input.what,
        attempt: tools.attempt,
        partial: isPartial(input.options),
      });
    this.reader = new ArchiveReader(tools.store, input.folder, input.archives, {
      checksums: input.options.validateChecksums,
      signal: tools.signal,
    });
    this.copier = new ArchiveCopier(input, tools, this.reader, this.rejects);
  }

  /** The table that is loaded, and the restore that holds it. */
  get taken() {
    return { restoreId: this.input.scope.restoreId, target: this.input.target };
  }

  /**
   * Begins a transaction that claims the archives of a part; what another attempt holds is waited for, and then taken
   * from it.
   */
  async begin(part: Part): Promise<PartClaim> {
    const archives = this.archivesOf(part);
    const { ignoreWatermark } = this.input.options;
    await this.client.query('begin');
    try {
      await this.client.query(`set local lock_timeout = '${claimTimeout}'`);
      const claims = await this.ledger.claim(this.client, archives, ignoreWatermark);
      await this.client.query('set local lock_timeout = 0');
      return {
        claimed: archives.flatMap(({ key }, place) =>
          claims.get(key) === 'claimed' ? [part.from + place] : [],
        ),
        earlier: archives.filter(({ key }) => claims.get(key) === 'earlier'),
        decided: archives.filter(({ key }) => claims.get(key) === 'decided'),
      };
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
      await this.client.query('rollback');
      const { restoreId, target } = this.taken;
      await endSessions(this.client, loadPrefix(restoreId, target.oid, this.input.firstOrdinal));
      return this.begin(part);
    }
  }

  /**
   * Waits until all archives before a part are decided.
   *
   * @param holdsRows rows of the target were written already
   * @throws GiveWay, ThawError as {@link awaitTurn} does
   */
  async awaitTurn(part: Part, holdsRows: boolean): Promise<void> {
    const { firstOrdinal } = this.input;
    const claim = { ...this.taken, from: firstOrdinal + part.from, to: firstOrdinal + part.to };
    await awaitTurn(this.client, claim, holdsRows, this.tools.signal);
  }

  async commit(): Promise<void> {
    this.#commit = this.client.query('commit');
    await this.#commit;
    this.#commit = null;
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

  /** @param sink what was being written into; null: nothing */
  async rollBack(sink: Sink | null): Promise<void> {
    try {
      await sink?.abandon();
      await this.client.query('rollback');
    } catch (error) {
      // A lost connection has rolled back by itself; what lost it is the error at hand.
      if (!(error instanceof Error)) throw error;
    }
  }

  /** Adds what the ledger says that this restore decided of archives; what it does not have, another one restored. */
  async takeOver(archives: readonly LedgerArchive[]): Promise<void> {
    if (archives.length === 0) return;
    const keys = archives.map(({ key }) => key);
    const decided = await this.ledger.decided(this.client, keys);
    for (const archive of decided) this.results.addDecided(archive, this.reader.indexOf(archive.key));
    const known = new Set(decided.map(({ key }) => key));
    this.results.addEarlier(archives.filter(({ key }) => !known.has(key)));
  }

  archivesOf(part: Part): LedgerArchive[] {
    return this.input.archives.slice(part.from, part.to).map((archive, place) => ({
      key: this.reader.keyOf(archive),
      etag: archive.etag,
      bytes: archive.bytes,
      ordinal: this.input.firstOrdinal + part.from + place,
    }));
  }

  /** Says what an error is about: the reason of the cancel where there was one, what PostgreSQL said as ThawError. */
  translate(raw: unknown): unknown {
    if (this.tools.signal.aborted) return this.tools.signal.reason;
    if (raw instanceof GiveWay || raw instanceof RestartNested) return raw;
    const { schema, table } = this.tools.target;
    return databaseError(raw, { object: `${schema}.${table}`, stage: this.tools.progress.stage });
  }

  /** A row refers to one of the table itself that is not there: a later archive may bring it. */
  isSelfReference(error: unknown): boolean {
    if (!(error instanceof ThawError) || error.sqlstate !== sqlState.foreignKeyViolation) return false;
    return this.tools.target.selfReferences.some(({ name }) => error.message.includes(`constraint ${name},`));
  }
}
