import type pg from 'pg';
import type { ArchiveFailure } from '../contract/outcome.ts';
import {
  type Claim,
  claimArchives,
  type DecidedArchive,
  failArchive,
  hasForeign,
  type LedgerArchive,
  type LedgerScope,
  readDecided,
  type SettledArchive,
  settleArchives,
} from '../postgres/ledger.ts';
import { type RejectedRow, writeRejectedRows } from '../postgres/rejected-rows.ts';

/** What a load did with an archive, and the rows that it left out of it. */
export interface LoadedArchive extends SettledArchive {
  readonly rejected: readonly RejectedRow[];
}

/** Where a load claims its archives and writes what becomes of them, in the loading transaction. */
export interface LoadLedger {
  /** Claims archives; what another attempt holds is waited for, as long as `lock_timeout` allows. */
  claim(
    client: pg.Client,
    archives: readonly LedgerArchive[],
    passOverEarlier: boolean,
  ): Promise<ReadonlyMap<string, Claim>>;
  settle(client: pg.Client, archives: readonly LoadedArchive[]): Promise<void>;
  /** @param deferred a later try may restore it */
  fail(client: pg.Client, failure: ArchiveFailure, deferred: boolean): Promise<void>;
  /** What was decided of some archives so far. */
  decided(client: pg.Client, keys: readonly string[]): Promise<readonly DecidedArchive[]>;
  /** Whether archives of other schemas were found among those of the table. */
  hasForeign(client: pg.Client): Promise<boolean>;
}

/** The ledger of restored archives, `thaw.archives`. */
export class ArchiveLedger implements LoadLedger {
  readonly #scope: LedgerScope;

  constructor(scope: LedgerScope) {
    this.#scope = scope;
  }

  async claim(client: pg.Client, archives: readonly LedgerArchive[], passOverEarlier: boolean) {
    return claimArchives(client, this.#scope, archives, passOverEarlier);
  }

  async settle(client: pg.Client, archives: readonly LoadedArchive[]): Promise<void> {
    for (const { key, rejected } of archives) await writeRejectedRows(client, this.#scope, key, rejected);
    await settleArchives(client, this.#scope, archives);
  }

  async fail(client: pg.Client, failure: ArchiveFailure, deferred: boolean): Promise<void> {
    await failArchive(client, this.#scope, failure, deferred);
  }

  async decided(client: pg.Client, keys: readonly string[]): Promise<readonly DecidedArchive[]> {
    return readDecided(client, this.#scope, keys);
  }

  async hasForeign(client: pg.Client): Promise<boolean> {
    return hasForeign(client, this.#scope);
  }
}
