import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  type ChildWorkflowHandle,
  ContinueAsNew,
  condition,
  continueAsNew,
  isCancellation,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  Activities,
  HeldTarget,
  LoadInput,
  LoadOutcome,
  PreparedTable,
  TableScope,
} from '../src/contract/activities.ts';
import { tableProgressQuery } from '../src/contract/messages.ts';
import { loadWorkflowId } from '../src/contract/names.ts';
import type { TableError, TableOutcome } from '../src/contract/outcome.ts';
import type { RestoreState, TableProgress } from '../src/contract/progress.ts';
import type { RestoreOptions } from '../src/contract/restore-request.ts';
import type { WatermarkPosition } from '../src/contract/watermark.ts';
import { ArchiveQueue, type CarriedQueue } from '../src/restore/archive-queue.ts';
import { summaryText } from '../src/restore/clip.ts';
import { describeTable } from '../src/restore/details.ts';
import { onlyForeign } from '../src/restore/foreign.ts';
import { type Load, loadName } from '../src/restore/packs.ts';
import { type CarriedResults, TableResults } from '../src/restore/table-results.ts';
import { archivesDone, emptyTally, isIncomplete } from '../src/restore/tally.ts';
import { AuditTrail } from './audit-trail.ts';
import { Control, type ControlState, throwIfCancelled } from './control.ts';
import { toFailure, toTableError } from './failures.ts';
import { LoadWindow } from './load-window.ts';
import { ParentReport } from './parent-report.ts';
import { SearchState, searchAttributesOf } from './search-attributes.ts';
import { startReachableChild } from './start-child.ts';
import { WatermarkUpdate } from './watermark-update.ts';

/** What restore-all gives a table, and what it carries over continue-as-new. */
export interface RestoreTableInput {
  readonly scope: TableScope;
  readonly options: RestoreOptions;
  /** Exactly these archives; null: all. */
  readonly keys: readonly string[] | null;
  readonly searchAttributes: boolean;
  /** Begins paused when the restore is. */
  readonly control: ControlState;
  readonly carried: Carried | null;
}

/** The state of a table between two runs of its workflow: everything in flight was drained before. */
interface Carried {
  readonly prepared: PreparedTable;
  readonly queue: CarriedQueue;
  readonly results: CarriedResults;
  /** Archives of the present round of {@link TableRun.loadDeferred}; null before the first. */
  readonly round: number | null;
  readonly watermark: WatermarkPosition;
}

/** Archives in a page: its result, with 160 bytes for each, stays far below the limit of a payload. */
const pageSize = 500;

/** A paused table shows in the target database that it is alive more often than its lease runs out. */
const leaseRenewal = '2 minutes';

const { prepareTable } = proxyActivities<Activities>({
  // Indexes that a dead restore had dropped are built again here, and that may take hours.
  startToCloseTimeout: '24h',
  heartbeatTimeout: '20s',
  // A table that others keep locked ends the wait within some minutes.
  retry: { initialInterval: '500ms', maximumInterval: '10s', maximumAttempts: 12 },
  // What it took and dropped has to be known, to be let go and built again.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const { listArchives } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { migrateSchema } = proxyActivities<Activities>({
  // It lists all archives.
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { finishTable } = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});
const { tallyLedger } = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '5 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { renewLease } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

/** Restores one table: takes the target, loads its archives a window at a time, lets the target go. */
export async function restoreTable(input: RestoreTableInput): Promise<TableOutcome> {
  const table = new TableRun(input);
  table.listen();
  try {
    // Take the target and make it ready.
    await table.prepare();
    // Compare the archived schemas with the table's; a strict restore ends here, before anything is loaded.
    await table.migrateSchema();
    // Load every archive, page by page, a window at a time.
    await table.loadPages();
    // Try again what broke a foreign key of the table to itself, until a round brings nothing.
    await table.loadDeferred();
    // A restore that found archives of another schema only is none.
    table.refuseForeign();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    if (isCancellation(error)) table.cancelled = true;
    else table.error = toTableError(error);
  }
  // Finish, whatever happened: what was dropped is rebuilt, and the target is let go.
  await CancellationScope.nonCancellable(() => table.finish());
  return table.end();
}

/** The state of {@link restoreTable}; each method is a step of its plan. */
class TableRun {
  error: TableError | null = null;
  cancelled = false;
  readonly #input: RestoreTableInput;
  readonly #control: Control;
  readonly #queue: ArchiveQueue;
  readonly #results: TableResults;
  readonly #window = new LoadWindow();
  readonly #report = new ParentReport();
  readonly #watermark: WatermarkUpdate;
  readonly #audit: AuditTrail;
  readonly #searchState: SearchState;
  #phase: 'planning' | 'running' | 'finishing' | 'ended';
  #prepared: PreparedTable | null;
  #round: number | null;

  constructor(input: RestoreTableInput) {
    const { carried, options } = input;
    this.#input = input;
    this.#prepared = carried?.prepared ?? null;
    this.#queue = new ArchiveQueue(options, carried?.queue ?? null);
    this.#results = new TableResults(carried?.results ?? null);
    this.#round = carried?.round ?? null;
    this.#watermark = new WatermarkUpdate(input.scope, carried?.watermark ?? null);
    this.#audit = new AuditTrail(input);
    this.#phase = carried === null ? 'planning' : 'running';
    this.#searchState = new SearchState(input.searchAttributes, carried === null ? 'planning' : null);
    this.#control = new Control(input.control, {
      state: () => this.#state(),
      onPause: (request) => {
        if (request.now) this.#window.rollBack();
      },
    });
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(tableProgressQuery, () => this.#progress());
    this.#control.listen(() => this.#show());
    this.#show();
  }

  async prepare(): Promise<void> {
    if (this.#prepared !== null) return;
    this.#audit.begin();
    const { scope, options, keys } = this.#input;
    this.#prepared = await prepareTable({ scope, options, keys });
    this.#results.notice(this.#prepared.notices);
  }

  /** A later run of the workflow knows that the schemas were compared. */
  async migrateSchema(): Promise<void> {
    const { scope, options, keys, carried } = this.#input;
    if (carried !== null) return;
    const { extent, notices } = await migrateSchema({ scope, target: this.#held, options, keys });
    this.#queue.setTotal(extent);
    this.#results.notice(notices);
  }

  async loadPages(): Promise<void> {
    this.#phase = 'running';
    this.#show();
    for (;;) {
      const load = await this.#nextLoad();
      if (load === null) return;
      this.#start(load);
    }
  }

  async loadDeferred(): Promise<void> {
    while (this.#hasNewRound()) {
      this.#round = this.#results.deferred;
      this.#queue.again(this.#results.takeDeferred());
      await this.loadPages();
    }
  }

  refuseForeign(): void {
    this.error ??= onlyForeign(this.#results.tally.archives, this.#input.scope.table);
  }

  async finish(): Promise<void> {
    this.#window.rollBack();
    await this.#window.drain();
    this.#results.giveUpDeferred();
    if (this.cancelled || this.error !== null) await this.#askLedger();
    if (this.#prepared !== null) await this.#letGo(this.#prepared);
    this.#results.notice(await this.#audit.end({ ...this.#outcome(), cancelled: this.cancelled }));
    if (this.cancelled) await this.#report.cancelled(this.#outcome());
    await condition(allHandlersFinished);
    this.#phase = 'ended';
    this.#show();
  }

  /** Gives the outcome, or throws it along with the error that ended the table. */
  end(): TableOutcome {
    if (this.cancelled) throw new CancelledFailure('The restore was cancelled.');
    const outcome = this.#outcome();
    if (this.error !== null) throw toFailure(this.error, outcome);
    return outcome;
  }

  /** What was rolled back in the middle of a pack may have committed some of its archives before. */
  async #askLedger(): Promise<void> {
    if (this.#prepared === null) return;
    try {
      this.#results.correct(await tallyLedger({ scope: this.#input.scope, target: this.#held }));
    } catch (error) {
      log.info('The totals are those of the loads that ended', { error: String(error) });
    }
  }

  async #letGo({ target, watermark }: PreparedTable): Promise<void> {
    this.#phase = 'finishing';
    this.#show();
    if (watermark !== 'never') this.#results.notice(await this.#watermark.finish(target));
    const { scope, options } = this.#input;
    const { inserted, updated } = this.#results.tally.rows;
    try {
      this.#results.notice(await finishTable({ scope, target, options, changed: inserted + updated > 0 }));
    } catch (error) {
      // What was loaded stays and is counted: the outcome tells both.
      this.error ??= toTableError(error);
    }
  }

  #outcome(): TableOutcome {
    return {
      target: this.#target,
      tally: this.#results.tally,
      failures: this.#results.failures,
      error: this.error,
      notices: this.#results.notices,
      columnNotes: this.#results.columnNotes,
    };
  }

  /** Gives the next load once a lane is free and nobody wants a pause; null when all are done. */
  async #nextLoad(): Promise<Load | null> {
    for (;;) {
      await throwIfCancelled();
      if (this.error !== null) throw toFailure(this.error);
      if (this.#control.paused || this.#window.closed) {
        await this.#hold();
      } else if (this.#nothingLeft()) {
        if (this.#window.size === 0) return null;
        await this.#change();
      } else if (workflowInfo().continueAsNewSuggested) {
        await this.#continueAsNew();
      } else if (this.#queue.isEmpty) {
        await this.#list();
      } else if (this.#window.size >= this.#input.options.lanes) {
        await this.#change();
      } else {
        return this.#queue.next();
      }
    }
  }

  /** Nothing is to be started any more; what is in flight may still come back. */
  #nothingLeft(): boolean {
    return this.#stopped() || (this.#queue.isEmpty && this.#queue.listed);
  }

  #stopped(): boolean {
    return this.#input.options.failFast && this.#results.tally.archives.failed > 0;
  }

  /** Archives wait for others, and the round before (if any) brought some of them in. */
  #hasNewRound(): boolean {
    const { deferred } = this.#results;
    return !this.#stopped() && deferred > 0 && (this.#round === null || deferred < this.#round);
  }

  /** Resolves when a load ends or something is asked for. */
  async #change(): Promise<void> {
    const { size } = this.#window;
    await condition(() => this.#window.size < size || this.#control.paused || this.#window.closed);
  }

  /**
   * Drains, and holds while it is paused; the lease in the target database is renewed, so that nobody takes
   * the table for abandoned.
   */
  async #hold(): Promise<void> {
    await this.#window.drain();
    this.#window.reopen();
    this.#show();
    const goOn = () => !this.#control.paused || this.error !== null;
    while (!(await condition(goOn, leaseRenewal))) {
      await renewLease({ scope: this.#input.scope, target: this.#held });
      if (workflowInfo().continueAsNewSuggested) await this.#continueAsNew();
    }
    this.#show();
  }

  /** Lists the next page and cuts it into loads. */
  async #list(): Promise<void> {
    const { scope, options, keys } = this.#input;
    const cursor = this.#queue.cursor;
    const page = await listArchives({ scope, target: this.#held, options, keys, cursor, pageSize });
    this.#queue.take(page);
    this.#results.add({
      ...emptyTally,
      archives: { ...emptyTally.archives, earlier: page.earlier.archives },
      bytes: page.earlier.bytes,
    });
    this.#show();
  }

  #start(load: Load): void {
    const name = loadName(load.archives);
    const what = this.#window.has(name) ? `${name}#${load.firstOrdinal}` : name;
    this.#window.start(
      what,
      () => this.#load(load, what),
      (error) => {
        // Rolled back by `pause --now`: it comes again, in its place.
        if (isCancellation(error)) this.#queue.putBack(load);
        else if (error !== null) this.#stop(error);
        else if (this.#prepared?.watermark === 'each') this.#watermark.follow(this.#held);
        this.#show();
      },
    );
    this.#show();
  }

  async #load(load: Load, what: string): Promise<void> {
    const child = await this.#startLoad(load, what);
    this.#results.record(load, await child.result());
  }

  async #startLoad(load: Load, what: string): Promise<ChildWorkflowHandle<RestoreLoad>> {
    const { scope, options, keys, searchAttributes } = this.#input;
    const { archives, firstOrdinal } = load;
    const { folder } = this.#queue;
    for (;;) {
      try {
        return await startReachableChild<RestoreLoad>(
          archives.length === 1 ? 'restoreArchive' : 'restorePack',
          {
            args: [
              {
                scope,
                target: this.#held,
                options,
                folder,
                archives,
                named: keys !== null,
                firstOrdinal,
                what,
              },
            ],
            workflowId: loadWorkflowId(workflowInfo().workflowId, scope.restoreId, what),
            // A parent that is terminated still lets its loads roll back.
            parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
            staticSummary: summaryText(`${this.#target} ${what}`),
            ...searchAttributesOf(searchAttributes, {
              restoreId: scope.restoreId,
              database: scope.database,
              table: this.#target,
            }),
          },
        );
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        // This restore was terminated and begun anew: the load of then still rolls back, and its id is free soon.
        await sleep('1s');
      }
    }
  }

  /** An error of the table as a whole: what is in flight could not commit before what failed, so it is rolled back. */
  #stop(error: unknown): void {
    this.error ??= toTableError(error);
    this.#window.rollBack();
  }

  async #continueAsNew(): Promise<void> {
    await this.#window.drain();
    await this.#watermark.settle();
    this.#results.notice(await this.#audit.settle());
    await condition(allHandlersFinished);
    if (this.error !== null) throw toFailure(this.error);
    await continueAsNew<typeof restoreTable>({
      ...this.#input,
      control: this.#control.carry(),
      carried: {
        prepared: { ...this.#taken, notices: [] },
        queue: this.#queue.carry(),
        results: this.#results.carry(),
        round: this.#round,
        watermark: this.#watermark.position,
      },
    });
  }

  get #taken(): PreparedTable {
    if (this.#prepared === null) throw new Error('The target is not taken yet.');
    return this.#prepared;
  }

  get #held(): HeldTarget {
    return this.#taken.target;
  }

  get #target(): string {
    const { intoSchema, intoTable } = this.#input.scope.table;
    return `${intoSchema}.${intoTable}`;
  }

  #state(): RestoreState {
    if (this.#phase === 'ended') {
      if (this.cancelled) return 'cancelled';
      if (this.error !== null) return 'failed';
      return isIncomplete(this.#results.tally) ? 'completed_with_failures' : 'completed';
    }
    if (this.cancelled) return 'cancelling';
    if (this.#phase !== 'running' || !this.#control.paused) return this.#phase;
    return this.#window.size > 0 ? 'pausing' : 'paused';
  }

  #progress(): TableProgress {
    const { tally, failures } = this.#results;
    const { total } = this.#queue;
    return {
      target: this.#target,
      workflowId: workflowInfo().workflowId,
      state: this.#state(),
      archives: { done: archivesDone(tally), total: total?.archives ?? null },
      bytes: { done: tally.bytes, total: total?.bytes ?? null },
      tally,
      failures,
      inFlight: this.#window.names,
    };
  }

  /** Tells everybody who looks: the Temporal UI, its search, and the restore. */
  #show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeTable(progress));
    this.#searchState.set(progress.state);
    this.#report.progress(progress);
  }
}

/** What restoreArchive and restorePack have in common. */
type RestoreLoad = (input: LoadInput) => Promise<LoadOutcome>;
