import type pg from 'pg';
import type { ArchiveFailure } from '../contract/outcome.ts';
import type { LoadedArchive, LoadLedger } from '../load/load-ledger.ts';
import { claimKeptRows, type KeptScope, settleKeptRows } from '../postgres/kept-rows.ts';
import type { Claim, DecidedArchive, LedgerArchive } from '../postgres/ledger.ts';

/**
 * What becomes of kept rows, written beside them and into the ledger of the restore that left them out. An
 * archive that fails again stays as it is, so failures are remembered here only.
 */
export class KeptRowsLedger implements LoadLedger {
  readonly #scope: KeptScope;
  readonly #claimed = new Map<string, LedgerArchive>();
  readonly #failed = new Map<string, DecidedArchive>();

  constructor(scope: KeptScope) {
    this.#scope = scope;
  }

  async claim(client: pg.Client, archives: readonly LedgerArchive[]): Promise<Map<string, Claim>> {
    for (const archive of archives) this.#claimed.set(archive.key, archive);
    const keys = archives.map(({ key }) => key);
    const kept = await claimKeptRows(client, this.#scope, keys);
    return new Map(keys.map((key) => [key, kept.has(key) ? 'claimed' : 'decided']));
  }

  async settle(client: pg.Client, archives: readonly LoadedArchive[]): Promise<void> {
    for (const archive of archives) await settleKeptRows(client, this.#scope, archive);
  }

  async fail(_client: pg.Client, failure: ArchiveFailure, deferred: boolean): Promise<void> {
    const archive = this.#claimed.get(failure.archive);
    if (archive === undefined) throw new Error(`${failure.archive} fails without having been claimed`);
    const counts = { inserted: 0, updated: 0, skipped: 0, failed: 0 };
    const nothing = { rows: 0, counts, columnNotes: [], foreignSchema: null };
    this.#failed.set(archive.key, { ...archive, ...nothing, state: 'failed', failure, deferred });
  }

  async decided(_client: pg.Client, keys: readonly string[]): Promise<DecidedArchive[]> {
    return keys.flatMap((key) => this.#failed.get(key) ?? []);
  }

  async hasForeign(): Promise<boolean> {
    return false;
  }
}
