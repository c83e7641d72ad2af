import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  ContinueAsNew,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  Activities,
  ArchivePage,
  ArchiveRef,
  HeldTarget,
  ListArchivesInput,
  LoadInput,
  LoadOutcome,
  PreparedTable,
  TableScope,
} from '../src/contract/activities.ts';
import { tableCancelledSignal, tableProgressQuery } from '../src/contract/messages.ts';
import { loadWorkflowId } from '../src/contract/names.ts';
import {
  type ArchiveFailure,
  maxFailuresKept,
  type TableError,
  type TableOutcome,
  type Tally,
} from '../src/contract/outcome.ts';
import type { RestoreState, TableProgress } from '../src/contract/progress.ts';
import type { RestoreOptions } from '../src/contract/restore-request.ts';
import { describeTable } from '../src/restore/details.ts';
import { formLoads, type Load, loadName, maxSingles } from '../src/restore/packs.ts';
import { addTallies, archivesDone, emptyTally } from '../src/restore/tally.ts';
import { Control, type ControlState } from './control.ts';
import { toFailure, toTableError } from './failures.ts';
import { searchAttributesOf } from './search-attributes.ts';

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
  readonly folder: string;
  readonly queue: readonly Load[];
  readonly cursor: string | null;
  readonly listed: boolean;
  readonly packing: boolean;
  readonly nextOrdinal: number;
  readonly tally: Tally;
  readonly failures: readonly ArchiveFailure[];
  readonly deferred: readonly Deferred[];
  readonly found: { readonly archives: number; readonly bytes: number };
  readonly total: { readonly archives: number; readonly bytes: number } | null;
  readonly notices: readonly string[];
}

/** An archive that waits for the others, since it broke a foreign key of the table to itself. */
interface Deferred {
  readonly archive: ArchiveRef;
  readonly failure: ArchiveFailure;
}

/** Archives in a page: its result, with 160 bytes for each, stays far below the limit of a payload. */
const pageSize = 500;

/** A paused table shows in the target database that it is alive more often than its lease runs out. */
const leaseRenewal = '2 minutes';

const { prepareTable } = proxyActivities<Activities>({
  startToCloseTimeout: '10 minutes',
  // A wrong host ends instead of hanging.
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { listArchives, countArchives } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { finishTable, renewLease } = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

/** Restores one table: takes the target, loads its archives a window at a time, lets the target go. */
export async function restoreTable(input: RestoreTableInput): Promise<TableOutcome> {
  const table = new TableRun(input);
  table.listen();
  try {
    // Take the target and make it ready.
    await table.prepare();
    // Load every archive, page by page, a window at a time.
    await table.loadPages();
    // Try again what broke a foreign key of the table to itself, until a round brings nothing.
    await table.loadDeferred();
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
  #phase: 'planning' | 'running' | 'finishing' | 'ended' = 'planning';
  #prepared: PreparedTable | null;
  #folder: string;
  #queue: Load[];
  #cursor: string | null;
  #listed: boolean;
  #packing: boolean;
  #nextOrdinal: number;
  #tally: Tally;
  #failures: ArchiveFailure[];
  #deferred: Deferred[];
  #found: { archives: number; bytes: number };
  #total: { readonly archives: number; readonly bytes: number } | null;
  #notices: string[];
  #counting: boolean;
  /** Loads being done, by name; each promise settles and never rejects. */
  readonly #inFlight = new Map<string, Promise<void>>();
  /** The loads in flight can be rolled back together, by `pause --now` and by an error of the table. */
  #window = new CancellationScope();

  constructor(input: RestoreTableInput) {
    const carried = input.carried;
    this.#input = input;
    this.#prepared = carried?.prepared ?? null;
    this.#folder = carried?.folder ?? '';
    this.#queue = [...(carried?.queue ?? [])];
    this.#cursor = carried?.cursor ?? null;
    this.#listed = carried?.listed ?? false;
    this.#packing = carried?.packing ?? false;
    this.#nextOrdinal = carried?.nextOrdinal ?? 0;
    this.#tally = carried?.tally ?? emptyTally;
    this.#failures = [...(carried?.failures ?? [])];
    this.#deferred = [...(carried?.deferred ?? [])];
    this.#found = { ...(carried?.found ?? { archives: 0, bytes: 0 }) };
    this.#total = carried?.total ?? null;
    this.#notices = [...(carried?.notices ?? [])];
    this.#counting = this.#total !== null;
    this.#control = new Control(input.control, {
      state: () => this.#state(),
      onPause: (request) => {
        if (request.now) this.#window.cancel();
      },
    });
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    this.#control.listen(() => this.#show());
    setHandler(tableProgressQuery, () => this.#progress());
    this.#show();
  }

  async prepare(): Promise<void> {
    if (this.#prepared !== null) return;
    this.#prepared = await prepareTable({ scope: this.#input.scope, options: this.#input.options });
    this.#notices.push(...this.#prepared.notices);
  }

  async loadPages(): Promise<void> {
    this.#phase = 'running';
    this.#show();
    for (;;) {
      const load = await this.#nextLoad();
      if (load === null) break;
      this.#start(load);
      if (workflowInfo().continueAsNewSuggested) await this.#continueAsNew();
    }
    await this.#drain();
  }

  async loadDeferred(): Promise<void> {
    for (
      let before = Number.POSITIVE_INFINITY;
      this.#deferred.length > 0 && this.#deferred.length < before;
    ) {
      before = this.#deferred.length;
      const round = this.#deferred.map((each) => each.archive);
      this.#deferred = [];
      // Each alone: one that still fails must not take the others with it.
      this.#queue = formLoads(round, this.#nextOrdinal, { packBytes: 0, commitFrequency: null });
      this.#nextOrdinal += round.length;
      await this.loadPages();
    }
    for (const { failure } of this.#deferred) {
      this.#add({
        ...emptyTally,
        archives: { ...emptyTally.archives, failed: 1 },
        rows: { ...emptyTally.rows, failed: failure.rows },
      });
      this.#keep([failure]);
    }
    this.#deferred = [];
  }

  async finish(): Promise<void> {
    this.#window.cancel();
    await this.#drain();
    if (this.#prepared !== null) {
      this.#phase = 'finishing';
      this.#show();
      const { inserted, updated } = this.#tally.rows;
      const notices = await finishTable({
        scope: this.#input.scope,
        target: this.#prepared.target,
        options: this.#input.options,
        changed: inserted + updated > 0,
      });
      this.#notices.push(...notices);
    }
    if (this.cancelled) await this.#tellParent();
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

  #outcome(): TableOutcome {
    return {
      target: this.#target,
      tally: this.#tally,
      failures: this.#failures,
      error: this.error,
      notices: [...new Set(this.#notices)],
    };
  }

  /** A cancelled workflow has no result, so what was done until then goes as a signal. */
  async #tellParent(): Promise<void> {
    const parent = workflowInfo().parent;
    if (parent === undefined) return;
    try {
      await getExternalWorkflowHandle(parent.workflowId).signal(tableCancelledSignal, this.#outcome());
    } catch (error) {
      // The parent was terminated; nobody asks any more.
      log.warn('The restore is gone', { error: String(error) });
    }
  }

  /** Gives the next load once a lane is free and nobody wants a pause; null when there is none. */
  async #nextLoad(): Promise<Load | null> {
    for (;;) {
      await condition(() => this.error !== null || this.#inFlight.size < this.#input.options.lanes);
      if (this.error !== null) throw toFailure(this.error);
      if (this.#control.paused) {
        await this.#whilePaused();
        continue;
      }
      if (this.#input.options.failFast && this.#tally.archives.failed > 0) return null;
      if (this.#queue.length === 0 && !this.#listed) {
        await this.#list();
        continue;
      }
      return this.#queue.shift() ?? null;
    }
  }

  /** Drains and holds; the lease in the target database is renewed, so that nobody takes the table for abandoned. */
  async #whilePaused(): Promise<void> {
    await this.#drain();
    this.#show();
    while (!(await condition(() => !this.#control.paused, leaseRenewal))) {
      await renewLease({ scope: this.#input.scope, target: this.#held });
      if (workflowInfo().continueAsNewSuggested) await this.#continueAsNew();
    }
    this.#window = new CancellationScope();
    this.#show();
  }

  /** Lists the next page and cuts it into loads. */
  async #list(): Promise<void> {
    const { scope, options, keys } = this.#input;
    const input = { scope, target: this.#held, options, keys, cursor: this.#cursor, pageSize };
    const page = await listArchives(input);
    this.#take(page);
    if (!this.#counting && page.next !== null) this.#count({ ...input, cursor: page.next });
  }

  /** Counts what is still to list. Totals are only for the eyes: nothing waits for them or fails with them. */
  #count(input: ListArchivesInput): void {
    this.#counting = true;
    const found = { ...this.#found };
    countArchives(input).then(
      (rest) => {
        this.#total ??= { archives: found.archives + rest.archives, bytes: found.bytes + rest.bytes };
        this.#show();
      },
      (error: unknown) => log.info('The archives are not counted', { error: String(error) }),
    );
  }

  #take(page: ArchivePage): void {
    this.#folder = page.folder;
    this.#cursor = page.next;
    this.#listed = page.next === null;
    this.#packing ||= page.next !== null || page.archives.length > maxSingles;
    const { packBytes, commitFrequency } = this.#input.options;
    this.#queue.push(
      ...formLoads(page.archives, this.#nextOrdinal, {
        packBytes: this.#packing ? packBytes : 0,
        commitFrequency,
      }),
    );
    this.#nextOrdinal += page.archives.length;
    this.#found.archives += page.archives.length + page.earlier.archives;
    this.#found.bytes += page.archives.reduce((sum, { bytes }) => sum + bytes, page.earlier.bytes);
    this.#add({
      ...emptyTally,
      archives: { ...emptyTally.archives, earlier: page.earlier.archives },
      bytes: page.earlier.bytes,
    });
    if (this.#listed) this.#total = { ...this.#found };
    this.#show();
  }

  #start(load: Load): void {
    const name = loadName(load.archives);
    const what = this.#inFlight.has(name) ? `${name}#${load.firstOrdinal}` : name;
    const done = this.#window
      .run(() => this.#load(load, what))
      .catch((error: unknown) => {
        // Rolled back by `pause --now`: it comes again, in its place.
        if (isCancellation(error)) this.#putBack(load);
        else this.error ??= this.#stop(error);
      })
      .finally(() => {
        this.#inFlight.delete(what);
        this.#show();
      });
    this.#inFlight.set(what, done);
    this.#show();
  }

  async #load(load: Load, what: string): Promise<void> {
    const { scope, options, searchAttributes } = this.#input;
    const input: LoadInput = {
      scope,
      target: this.#held,
      options,
      folder: this.#folder,
      archives: load.archives,
      firstOrdinal: load.firstOrdinal,
      what,
    };
    const child = await startChild<(input: LoadInput) => Promise<LoadOutcome>>(
      load.archives.length === 1 ? 'restoreArchive' : 'restorePack',
      {
        args: [input],
        workflowId: loadWorkflowId(workflowInfo().workflowId, scope.restoreId, what),
        // A parent that is terminated still lets its loads roll back.
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `${this.#target} ${what}`,
        ...searchAttributesOf(searchAttributes, {
          restoreId: scope.restoreId,
          database: scope.database,
          table: this.#target,
          state: 'running',
        }),
      },
    );
    this.#record(load, await child.result());
  }

  #record(load: Load, outcome: LoadOutcome): void {
    this.#add(outcome.tally);
    this.#keep(outcome.failures);
    this.#notices.push(...outcome.notices);
    for (const { index, failure } of outcome.deferred) {
      const archive = load.archives[index];
      if (archive !== undefined) this.#deferred.push({ archive, failure });
    }
  }

  /** An error of the table as a whole: what is in flight could not commit before what failed, so it is rolled back. */
  #stop(error: unknown): TableError {
    this.#window.cancel();
    return toTableError(error);
  }

  #putBack(load: Load): void {
    const place = this.#queue.findIndex((other) => other.firstOrdinal > load.firstOrdinal);
    this.#queue.splice(place === -1 ? this.#queue.length : place, 0, load);
  }

  async #drain(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight.values());
  }

  async #continueAsNew(): Promise<void> {
    await this.#drain();
    await condition(allHandlersFinished);
    if (this.error !== null) throw toFailure(this.error);
    await continueAsNew<typeof restoreTable>({
      ...this.#input,
      control: this.#control.carry(),
      carried: {
        prepared: { target: this.#held, notices: [] },
        folder: this.#folder,
        queue: this.#queue,
        cursor: this.#cursor,
        listed: this.#listed,
        packing: this.#packing,
        nextOrdinal: this.#nextOrdinal,
        tally: this.#tally,
        failures: this.#failures,
        deferred: this.#deferred,
        found: this.#found,
        total: this.#total,
        notices: [...new Set(this.#notices)],
      },
    });
  }

  #add(tally: Tally): void {
    this.#tally = addTallies(this.#tally, tally);
  }

  #keep(failures: readonly ArchiveFailure[]): void {
    this.#failures = [...this.#failures, ...failures].slice(0, maxFailuresKept);
  }

  get #held(): HeldTarget {
    if (this.#prepared === null) throw new Error('The target is not taken yet.');
    return this.#prepared.target;
  }

  get #target(): string {
    const { intoSchema, intoTable } = this.#input.scope.table;
    return `${intoSchema}.${intoTable}`;
  }

  #state(): RestoreState {
    if (this.#phase === 'ended') {
      if (this.cancelled) return 'cancelled';
      if (this.error !== null) return 'failed';
      return this.#tally.archives.failed > 0 ? 'completed_with_failures' : 'completed';
    }
    if (this.cancelled) return 'cancelling';
    if (this.#phase !== 'running' || !this.#control.paused) return this.#phase;
    return this.#inFlight.size > 0 ? 'pausing' : 'paused';
  }

  #progress(): TableProgress {
    return {
      target: this.#target,
      workflowId: workflowInfo().workflowId,
      state: this.#state(),
      archives: { done: archivesDone(this.#tally), total: this.#total?.archives ?? null },
      bytes: { done: this.#tally.bytes, total: this.#total?.bytes ?? null },
      tally: this.#tally,
      failures: this.#failures,
      inFlight: [...this.#inFlight.keys()],
    };
  }

  #show(): void {
    setCurrentDetails(describeTable(this.#progress()));
  }
}
