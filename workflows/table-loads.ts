import {
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { type Load, loadName } from '../src/restore/packs.ts';
import { emptyTally } from '../src/restore/tally.ts';
import { throwIfCancelled } from './control.ts';
import { toFailure, toTableError } from './failures.ts';
import { startLoad } from './load-child.ts';
import type { restoreTable } from './restore-table.ts';
import type { TableState } from './table-state.ts';
import { listArchives, renewLease } from './table-work.ts';

/** Archives in a page: its result, with 160 bytes for each, stays far below the limit of a payload. */
const pageSize = 500;

/** A paused table shows in the target database that it is alive more often than its lease runs out. */
const leaseRenewal = '2 minutes';

/** The loads of a table: its archives are listed by pages, cut into loads, and these done a window at a time. */
export class TableLoads {
  readonly #table: TableState;

  constructor(table: TableState) {
    this.#table = table;
  }

  /** Loads every archive, page by page; goes on in a new run of the workflow where the history grows long. */
  async run(): Promise<void> {
    this.#table.phase = 'running';
    this.#table.show();
    for (;;) {
      const load = await this.#next();
      if (load === null) return;
      this.#start(load);
    }
  }

  /** Tries again what waits for other archives, until a round brings nothing. */
  async runDeferred(): Promise<void> {
    const { results, queue } = this.#table;
    while (this.#hasNewRound()) {
      this.#table.round = results.deferred;
      queue.again(results.takeDeferred());
      await this.run();
    }
  }

  /** Archives wait for others, and the round before (if any) brought some of them in. */
  #hasNewRound(): boolean {
    const { round, results } = this.#table;
    const { deferred } = results;
    return !this.#isStopped() && deferred > 0 && (round === null || deferred < round);
  }

  /** Gives the next load once a lane is free and nobody wants a pause; null when all are done. */
  async #next(): Promise<Load | null> {
    const { control, window, queue, input } = this.#table;
    for (;;) {
      await throwIfCancelled();
      if (this.#table.error !== null) throw toFailure(this.#table.error);
      if (control.paused || window.closed) {
        await this.#hold();
      } else if (this.#isNothingLeft()) {
        if (window.size === 0) return null;
        await this.#change();
      } else if (workflowInfo().continueAsNewSuggested) {
        await this.#continueAsNew();
      } else if (queue.isEmpty) {
        await this.#list();
      } else if (window.size >= input.options.lanes) {
        await this.#change();
      } else {
        return queue.next();
      }
    }
  }

  /** Nothing is to be started any more; what is in flight may still come back. */
  #isNothingLeft(): boolean {
    const { queue } = this.#table;
    return this.#isStopped() || (queue.isEmpty && queue.listed);
  }

  #isStopped(): boolean {
    const { input, results } = this.#table;
    return input.options.failFast && results.tally.archives.failed > 0;
  }

  /** Resolves when a load ends or something is asked for. */
  async #change(): Promise<void> {
    const { window, control } = this.#table;
    const { size } = window;
    await condition(() => window.size < size || control.paused || window.closed);
  }

  /**
   * Drains, and holds while it is paused; the lease in the target database is renewed, so that nobody takes
   * the table for abandoned.
   */
  async #hold(): Promise<void> {
    const table = this.#table;
    await table.window.drain();
    table.window.reopen();
    table.show();
    const goOn = () => !table.control.paused || table.error !== null;
    while (!(await condition(goOn, leaseRenewal, { summary: 'until the table is kept anew' }))) {
      await renewLease({ scope: table.input.scope, target: table.held });
      if (workflowInfo().continueAsNewSuggested) await this.#continueAsNew();
    }
    table.show();
  }

  /** Lists the next page and cuts it into loads. */
  async #list(): Promise<void> {
    const { input, held, queue, results } = this.#table;
    const { scope, options, keys } = input;
    const { cursor } = queue;
    const page = await listArchives({ scope, target: held, options, keys, cursor, pageSize });
    queue.take(page);
    results.add({
      ...emptyTally,
      archives: { ...emptyTally.archives, earlier: page.earlier.archives },
      bytes: page.earlier.bytes,
    });
    this.#table.show();
  }

  #start(load: Load): void {
    const table = this.#table;
    const name = loadName(load.archives);
    const what = table.window.has(name) ? `${name}#${load.firstOrdinal}` : name;
    table.window.start(
      what,
      () => this.#load(load, what),
      (error) => {
        // Rolled back by `pause --now`: it comes again, in its place.
        if (isCancellation(error)) table.queue.putBack(load);
        else if (error !== null) this.#stop(error);
        else if (table.prepared?.watermark === 'each') table.watermark.follow(table.held);
        table.show();
      },
    );
    table.show();
  }

  async #load(load: Load, what: string): Promise<void> {
    const child = await startLoad(this.#table, load, what);
    this.#table.results.record(load, await child.result());
  }

  /** An error of the table as a whole: what is in flight could not commit before what failed, so it is rolled back. */
  #stop(error: unknown): void {
    this.#table.error ??= toTableError(error);
    this.#table.window.rollBack();
  }

  /** Brings what is under way to its end, and has the workflow begin a new run. @throws ContinueAsNew */
  async #continueAsNew(): Promise<void> {
    const { window, watermark, results, audit, control, input } = this.#table;
    await window.drain();
    await watermark.settle();
    results.notice(await audit.settle());
    await condition(allHandlersFinished);
    if (this.#table.error !== null) throw toFailure(this.#table.error);
    const carried = this.#table.carry();
    await continueAsNew<typeof restoreTable>({ ...input, control: control.carry(), carried });
  }
}
