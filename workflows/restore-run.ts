import { allHandlersFinished, CancelledFailure, condition, log, setHandler } from '@temporalio/workflow';
import { tableCancelledSignal, tableProgressSignal } from '../src/contract/messages.ts';
import type { RestoreOutcome } from '../src/contract/outcome.ts';
import { isEnded, type RestoreProgress, type RestoreState } from '../src/contract/progress.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { describeRestore } from '../src/restore/details.ts';
import { sumProgress } from '../src/restore/progress.ts';
import { firstError, sumOutcome } from '../src/restore/restore-outcome.ts';
import { Control } from './control.ts';
import { toFailure, toTableError } from './failures.ts';
import { PlannedRestore } from './planned-restore.ts';
import { createTables, planRestore, recordBriefly, recordRestore } from './restore-work.ts';
import { TableOrder } from './table-order.ts';
import { TableSlot } from './table-slot.ts';
import { Verification } from './verification.ts';

/** A restore of tables as it goes; each method is a step of the plan of `restoreAll`. */
export class RestoreRun extends PlannedRestore<RestoreOutcome, RestoreProgress> {
  readonly #request: RestoreRequest;
  readonly #verification: Verification;
  #tables: readonly TableSlot[] = [];
  #order = new TableOrder([]);
  protected readonly control = new Control(null, {
    state: () => this.state(),
    onPause: ({ reason, now }) => {
      if (now) this.#verification.rollBack();
      for (const table of this.#tables) table.pause(reason, now);
    },
    onResume: () => {
      for (const table of this.#tables) table.resume();
    },
  });

  constructor(request: RestoreRequest) {
    super();
    this.#request = request;
    this.#verification = new Verification(request, this.control, () => this.show());
  }

  override listen(): void {
    setHandler(tableCancelledSignal, (outcome) => {
      const table = this.#tableOf(outcome.target);
      if (table !== undefined) table.outcome = outcome;
    });
    setHandler(tableProgressSignal, (progress) => {
      const table = this.#tableOf(progress.target);
      if (table !== undefined) table.told = progress;
      this.show();
    });
    super.listen();
  }

  async plan(): Promise<void> {
    const request = this.#request;
    // Before the plan, which goes by their foreign keys.
    if (request.options.createTable) await createTables(request);
    const { tables, searchAttributes } = await planRestore(request);
    this.#tables = tables.map((table) => new TableSlot(table, request, searchAttributes));
    this.#order = new TableOrder(this.#tables);
    this.phase = 'running';
    if (searchAttributes) this.register(request);
    this.show();
  }

  /** Loads nothing of any table where archives of one are not sound. */
  async verifyFirst(): Promise<void> {
    if (!this.#request.options.verifyFirst) return;
    const tables = this.#tables.map(({ plan }) => plan.table);
    await this.#verification.run(tables, (outcomes) => {
      for (const [place, table] of this.#tables.entries()) {
        table.outcome = outcomes[place] ?? null;
        table.state = 'failed';
      }
    });
  }

  async restoreTables(): Promise<void> {
    await this.#order.follow(
      () => this.control.whenRunning(),
      async (table) => {
        await table.restore(this.control);
        this.show();
      },
    );
  }

  /** Lets the tables that still run come to their end, and reports. */
  async finish(): Promise<void> {
    this.show();
    await this.#order.settle();
    await condition(allHandlersFinished);
    this.phase = 'finishing';
    this.show();
    // Without a plan there may be no database to write to: what is wrong with it is the outcome.
    if (this.#tables.length > 0) await this.#record();
    else if (this.cancelled) await this.#recordCancelledPlan();
    this.phase = this.tell().state;
    this.show();
  }

  override end(): RestoreOutcome {
    const outcome = this.tell();
    if (outcome.state === 'cancelled') throw new CancelledFailure('The restore was cancelled.', [outcome]);
    if (outcome.state === 'failed') throw toFailure(firstError(outcome), outcome);
    return outcome;
  }

  /** What a restore did is told by its outcome, too, should the record of it not be written. */
  async #record(): Promise<void> {
    const outcome = this.tell();
    try {
      await recordRestore({ request: this.#request, state: outcome.state, outcome });
    } catch (error) {
      this.error ??= toTableError(error);
    }
  }

  /** The plan may have written that it runs. Where nothing was written, nothing needs to be put right. */
  async #recordCancelledPlan(): Promise<void> {
    const outcome = this.tell();
    try {
      await recordBriefly({ request: this.#request, state: outcome.state, outcome });
    } catch (error) {
      log.info('The cancellation is not recorded', { error: String(error) });
    }
  }

  #tableOf(target: string): TableSlot | undefined {
    return this.#tables.find((table) => table.target === target);
  }

  protected tell(): RestoreOutcome {
    const tables = this.#tables.flatMap(({ outcome }) => (outcome === null ? [] : [outcome]));
    const seconds = (Date.now() - this.startedAt.getTime()) / 1000;
    return sumOutcome(this.#request, tables, { isCancelled: this.cancelled, error: this.error, seconds });
  }

  protected override state(): RestoreState {
    if (isEnded(this.phase)) return this.phase;
    if (this.cancelled) return 'cancelling';
    if (this.phase !== 'running' || !this.control.paused) return this.phase;
    if (this.#verification.isReading) return 'pausing';
    const running = this.#tables.filter(({ state }) => state === 'running');
    return running.every(({ told }) => told?.state === 'paused') ? 'paused' : 'pausing';
  }

  protected progress(): RestoreProgress {
    const { restoreId, database } = this.#request;
    const tables = this.#tables.map((table) => table.progress());
    return sumProgress({ restoreId, database, ...this.head() }, tables, Date.now());
  }

  protected describe(progress: RestoreProgress): string {
    return describeRestore(progress, this.#errors());
  }

  /** Why tables could not be restored as a whole, or nothing could. */
  #errors(): readonly string[] {
    const tables = this.#tables.flatMap(({ target, outcome }) =>
      outcome?.error ? [`${target}: ${outcome.error.message}`] : [],
    );
    return this.error === null ? tables : [this.error.message, ...tables];
  }
}
