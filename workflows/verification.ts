import { CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { Activities, VerifiedArchives } from '../src/contract/activities.ts';
import type { TableOutcome } from '../src/contract/outcome.ts';
import type { RestoreRequest, TableRequest } from '../src/contract/restore-request.ts';
import { TableResults } from '../src/restore/table-results.ts';
import { unsoundError, unsoundOutcome, type VerifiedTable } from '../src/restore/unsound.ts';
import type { Control } from './control.ts';
import { toFailure } from './failures.ts';
import { soon } from './work-options.ts';

/** Archives that are read through before a worker that takes over has to begin anew with them. */
const pageSize = 500;

const { verifyArchives } = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '20s',
  retry: soon,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** Reads every archive of a restore to its end, before anything is taken or loaded. */
export class Verification {
  readonly #request: RestoreRequest;
  readonly #control: Control;
  readonly #changed: () => void;
  /** Of the page that is being read. */
  #page: CancellationScope | null = null;

  /** @param changed called when a page begins or ends */
  constructor(request: RestoreRequest, control: Control, changed: () => void) {
    this.#request = request;
    this.#control = control;
    this.#changed = changed;
  }

  /** Archives are being read. */
  get isReading(): boolean {
    return this.#page !== null;
  }

  /** Gives up what is being read; it is read again later. */
  rollBack(): void {
    this.#page?.cancel();
  }

  /**
   * Reads the archives of all tables.
   *
   * @param report gets the outcome of each table, where archives of any are not sound
   * @throws the failure of the restore then
   */
  async run(
    tables: readonly TableRequest[],
    report: (outcomes: readonly TableOutcome[]) => void,
  ): Promise<void> {
    const verified: VerifiedTable[] = [];
    for (const table of tables) verified.push(await this.#verify(table));
    const error = unsoundError(verified);
    if (error === null) return;
    report(verified.map(unsoundOutcome));
    throw toFailure(error);
  }

  async #verify(table: TableRequest): Promise<VerifiedTable> {
    const results = new TableResults(null);
    let archives = 0;
    let cursor: string | null = null;
    do {
      const page: VerifiedArchives = await this.#read(table, cursor);
      archives += page.archives;
      results.addUnsound(page);
      cursor = page.next;
    } while (cursor !== null);
    return { table, archives, results };
  }

  async #read(table: TableRequest, cursor: string | null): Promise<VerifiedArchives> {
    const { restoreId, fingerprint, database, options, keys } = this.#request;
    const scope = { restoreId, fingerprint, database, table };
    for (;;) {
      await this.#control.whenRunning();
      const page = new CancellationScope();
      this.#page = page;
      this.#changed();
      try {
        return await page.run(() => verifyArchives({ scope, options, keys, cursor, pageSize }));
      } catch (error) {
        // Given up by `pause --now`.
        if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      } finally {
        this.#page = null;
        this.#changed();
      }
    }
  }
}
