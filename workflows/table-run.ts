import { allHandlersFinished, CancelledFailure, condition, isCancellation, log } from '@temporalio/workflow';
import type { PreparedTable } from '../src/contract/activities.ts';
import type { TableOutcome } from '../src/contract/outcome.ts';
import { onlyForeign } from '../src/restore/foreign.ts';
import { toFailure, toTableError } from './failures.ts';
import type { RestoreTableInput } from './table-input.ts';
import { TableLoads } from './table-loads.ts';
import { TableState } from './table-state.ts';
import { finishTable, migrateSchema, prepareTable, tallyLedger } from './table-work.ts';

/** A restore of a table as it goes; each method is a step of the plan of `restoreTable`. */
export class TableRun {
  readonly #table: TableState;
  readonly #loads: TableLoads;

  constructor(input: RestoreTableInput) {
    this.#table = new TableState(input);
    this.#loads = new TableLoads(this.#table);
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    this.#table.listen();
  }

  async prepare(): Promise<void> {
    const { input, audit, results, prepared } = this.#table;
    if (prepared !== null) return;
    audit.begin();
    const { scope, options, keys } = input;
    this.#table.prepared = await prepareTable({ scope, options, keys });
    results.notice(this.#table.prepared.notices);
  }

  /** A later run of the workflow knows that the schemas were compared. */
  async migrateSchema(): Promise<void> {
    const { input, held, queue, results } = this.#table;
    const { scope, options, keys, carried } = input;
    if (carried !== null) return;
    const { extent, notices } = await migrateSchema({ scope, target: held, options, keys });
    queue.setTotal(extent);
    results.notice(notices);
  }

  loadPages(): Promise<void> {
    return this.#loads.run();
  }

  loadDeferred(): Promise<void> {
    return this.#loads.runDeferred();
  }

  refuseForeign(): void {
    const { input, results } = this.#table;
    this.#table.error ??= onlyForeign(results.tally.archives, input.scope.table);
  }

  fail(error: unknown): void {
    if (isCancellation(error)) this.#table.cancelled = true;
    else this.#table.error = toTableError(error);
  }

  async finish(): Promise<void> {
    const table = this.#table;
    table.window.rollBack();
    await table.window.drain();
    table.results.giveUpDeferred();
    if (table.cancelled || table.error !== null) await this.#askLedger();
    if (table.prepared !== null) await this.#letGo(table.prepared);
    const { cancelled } = table;
    table.results.notice(await table.audit.end({ ...table.outcome(), cancelled }));
    if (cancelled) await table.report.cancelled(table.outcome());
    await condition(allHandlersFinished);
    table.phase = 'ended';
    table.show();
  }

  /** Gives the outcome, or throws it along with the error that ended the table. */
  end(): TableOutcome {
    const { cancelled, error } = this.#table;
    if (cancelled) throw new CancelledFailure('The restore was cancelled.');
    const outcome = this.#table.outcome();
    if (error !== null) throw toFailure(error, outcome);
    return outcome;
  }

  /** What was rolled back in the middle of a pack may have committed some of its archives before. */
  async #askLedger(): Promise<void> {
    const { input, prepared, results } = this.#table;
    if (prepared === null) return;
    try {
      results.correct(await tallyLedger({ scope: input.scope, target: prepared.target }));
    } catch (error) {
      log.info('The totals are those of the loads that ended', { error: String(error) });
    }
  }

  /** Writes the watermark, builds what was dropped, and lets the target go. */
  async #letGo({ target, watermark }: PreparedTable): Promise<void> {
    const table = this.#table;
    const { scope, options } = table.input;
    table.phase = 'finishing';
    table.show();
    if (watermark !== 'never') table.results.notice(await table.watermark.finish(target));
    const { inserted, updated } = table.results.tally.rows;
    try {
      const changed = inserted + updated > 0;
      table.results.notice(await finishTable({ scope, target, options, changed }));
    } catch (error) {
      // What was loaded stays and is counted: the outcome tells both.
      table.error ??= toTableError(error);
    }
  }
}
