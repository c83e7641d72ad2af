import type pg from 'pg';
import type { SnapshotTableName, SnapshotTableResult } from '../../contract/snapshot.ts';
import type { HandledKeys, HistoryError, HistoryStep } from '../../contract/snapshot-history.ts';
import type { ThawError } from '../../contract/thaw-error.ts';
import { disconnect } from '../../postgres/connection.ts';
import {
  completeHistory,
  type HistoryProgress,
  readHistory,
  writeHistory,
} from '../../postgres/snapshot-history.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import type { TakenKey } from '../../postgres/taken-keys.ts';
import { nameOf } from '../order/table-order.ts';
import { type ExpectedTable, TableSteps } from './table-steps.ts';

/** How a recorder writes. */
export interface RecorderOptions {
  readonly restoreId: string;
  /** A connection that nothing else uses. */
  connect(): Promise<pg.Client>;
  /** Milliseconds between two writes, at the least. @default 400 */
  readonly every?: number;
  /** Progress cannot be written for the moment; the restore goes on. */
  onLost?(error: ThawError): void;
}

/** Milliseconds after which a write that hangs is given up, and before another one is tried after one that failed. */
const patience = 5_000;

/**
 * Writes how far a restore is into its history while it runs, on a connection of its own, so that others see it before
 * the merge commits. Its writes hold no lock once they are done, and nothing waits for them: where the connection is
 * lost another one is opened, and progress is late. The end of a restore is not written so: see {@link complete} and
 * `failHistory`.
 */
export class HistoryRecorder {
  readonly #options: RecorderOptions;
  readonly #steps: TableSteps;
  #client: pg.Client | null;
  #currentStep: string | null;
  #keys: HandledKeys | null;
  #transactionIds: readonly string[];
  #errors: number;
  #error: HistoryError | null;
  readonly #results = new Map<string, SnapshotTableResult>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #nextAt = 0;
  #isQuiet = false;

  private constructor(options: RecorderOptions, client: pg.Client, before: HistoryProgress | null) {
    this.#options = options;
    this.#client = client;
    this.#steps = new TableSteps(before?.steps);
    this.#currentStep = before?.currentStep ?? null;
    this.#keys = before?.keys ?? null;
    this.#transactionIds = before?.transactionIds ?? [];
    this.#errors = before?.errors ?? 0;
    this.#error = before?.error ?? null;
  }

  /**
   * Goes on with what is written of a restore that `beginHistory` has begun.
   *
   * @throws ThawError what connecting and reading throw: nothing has been done then that could be lost
   */
  static async open(options: RecorderOptions): Promise<HistoryRecorder> {
    const client = await connected(options);
    try {
      return new HistoryRecorder(options, client, await readProgress(client, options.restoreId));
    } catch (error) {
      await disconnect(client);
      throw error;
    }
  }

  /** How far each table is. */
  get steps(): readonly HistoryStep[] {
    return this.#steps.toJSON();
  }

  /** Names the tables, in the order in which they are merged. */
  expect(tables: readonly ExpectedTable[]): void {
    this.#steps.expect(tables);
    this.#touch();
  }

  /** What is done now, where it is not about one table. */
  at(step: string): void {
    this.#currentStep = step;
    this.#touch();
  }

  /** Staging begins, maybe once more. */
  staging(): void {
    this.#steps.begin();
    this.at('staging');
  }

  /** Rows of a table were staged. @param table `schema.table` */
  rows(table: string, rows: number): void {
    this.#steps.rows(table, rows);
    this.#touch();
  }

  /** All tables are staged. */
  staged(): void {
    this.#steps.staged();
    this.at('staged');
  }

  /** A table is compared with the snapshot. */
  comparing(table: SnapshotTableName): void {
    this.#steps.comparing(nameOf(table));
    this.at(`comparing_${nameOf(table)}`);
  }

  /** What the merge will do to a table is known. */
  found(changes: SnapshotTableResult): void {
    this.#steps.found(nameOf(changes), changes);
    this.#restoring();
  }

  /** A table is as it is to become. */
  merged(changes: SnapshotTableResult): void {
    this.#results.set(nameOf(changes), changes);
    this.#steps.merged(nameOf(changes), changes);
    this.#restoring();
  }

  /** Foreign keys are taken off. */
  keysTaken(keys: readonly Pick<TakenKey, 'name' | 'child'>[]): void {
    const constraints = keys.map(({ name, child }) => `${name} of ${nameOf(child)}`);
    this.#keys = { disabled: keys.length, enabled: 0, constraints };
    this.#touch();
  }

  /** Tables are merged by the transaction of this connection. */
  async inTransaction(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ id: string }>('select pg_current_xact_id()::text as id');
    this.#transactionIds = [...new Set([...this.#transactionIds, ...rows.map(({ id }) => id)])];
    this.#touch();
  }

  /** An attempt has failed; another one may be made. */
  failed(error: ThawError): void {
    this.#isQuiet = false;
    this.#errors += 1;
    this.#error = historyError(error);
    this.#touch();
  }

  /**
   * Writes that the restore is completed, in the transaction that merged all tables. From now on nothing else is
   * written, so that the commit waits for nobody.
   *
   * @throws ThawError `ConflictFound` where it has ended already; what PostgreSQL answers, raw
   */
  async complete(client: pg.Client): Promise<void> {
    await this.#rest();
    const steps = new TableSteps(this.#steps.toJSON());
    steps.completed();
    const { keys } = this.#progress();
    const progress = {
      ...this.#progress(),
      steps: steps.toJSON().map((step) => ({ ...step, ...restoredOf(this.#results.get(step.table)) })),
      keys: keys && { ...keys, enabled: keys.disabled },
      currentStep: 'completed',
    };
    await completeHistory(client, this.#options.restoreId, progress, [...this.#results.values()]);
  }

  /** Writes what is not written yet, and lets the connection go. */
  async close(): Promise<void> {
    const isDue = this.#timer !== null;
    const wasQuiet = this.#isQuiet;
    await this.#rest();
    if (isDue && !wasQuiet) await this.#write();
    await this.#letGo();
  }

  #restoring(): void {
    const { next } = this.#steps;
    this.at(next === null ? 'restoring_foreign_keys' : `restoring_${next}`);
  }

  #progress(): HistoryProgress {
    return {
      ...{ currentStep: this.#currentStep, steps: this.#steps.toJSON(), keys: this.#keys },
      ...{ transactionIds: this.#transactionIds, errors: this.#errors, error: this.#error },
    };
  }

  #touch(): void {
    if (this.#isQuiet || this.#timer !== null) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#writing = this.#writing.then(() => this.#write());
      },
      Math.max(0, this.#nextAt - Date.now()),
    );
  }

  /** Ends all writing, and waits for the one under way. */
  async #rest(): Promise<void> {
    this.#isQuiet = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { restoreId, every = 400, onLost } = this.#options;
    this.#nextAt = Date.now() + every;
    try {
      this.#client ??= await connected(this.#options);
      await writeHistory(this.#client, restoreId, this.#progress());
    } catch (error) {
      this.#nextAt = Date.now() + patience;
      await this.#letGo();
      onLost?.(databaseError(error, { object: 'thaw.snapshot_history' }));
    }
  }

  async #letGo(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    if (client !== null) await disconnect(client);
  }
}

/** What the history keeps of an error. */
export function historyError({ code, message, hint, object, sqlstate }: ThawError): HistoryError {
  return { code, error: message, hint, object: object ?? null, sqlstate: sqlstate ?? null };
}

async function connected({ connect }: RecorderOptions): Promise<pg.Client> {
  const client = await connect();
  try {
    await client.query(`set statement_timeout = ${patience}`);
    return client;
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

async function readProgress(client: pg.Client, restoreId: string): Promise<HistoryProgress | null> {
  const history = await readHistory(client, restoreId);
  if (history === null) return null;
  const { fk_constraints_handled: keys, current_step: currentStep, restoration_steps: steps } = history;
  return {
    ...{ currentStep, steps, keys: 'disabled' in keys ? (keys as HandledKeys) : null },
    transactionIds: history.transaction_ids,
    errors: history.errors_encountered,
    error: history.error_details,
  };
}

function restoredOf(result: SnapshotTableResult | undefined): { readonly rows_restored: number } | undefined {
  return result && { rows_restored: result.inserted + result.updated };
}
