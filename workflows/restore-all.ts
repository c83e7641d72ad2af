import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  type ChildWorkflowHandle,
  condition,
  isCancellation,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { Activities, PlannedTable, RestorePlan } from '../src/contract/activities.ts';
import { errorTraits } from '../src/contract/error-code.ts';
import {
  pauseSignal,
  progressQuery,
  resumeSignal,
  tableCancelledSignal,
  tableProgressSignal,
} from '../src/contract/messages.ts';
import { targetWorkflowId } from '../src/contract/names.ts';
import type { RestoreOutcome, TableError, TableOutcome, Tally } from '../src/contract/outcome.ts';
import {
  isEnded,
  type RestoreProgress,
  type RestoreState,
  type TableProgress,
} from '../src/contract/progress.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { summaryText } from '../src/restore/clip.ts';
import { describeRestore } from '../src/restore/details.ts';
import { sumProgress } from '../src/restore/progress.ts';
import { addTallies, archivesDone, emptyTally, isIncomplete } from '../src/restore/tally.ts';
import { Control, type ControlState } from './control.ts';
import { detailOf, toFailure, toTableError } from './failures.ts';
import type { restoreTable } from './restore-table.ts';
import { SearchState, searchAttributesOf } from './search-attributes.ts';
import { SignalLine } from './signal-line.ts';
import { startReachableChild } from './start-child.ts';
import { Verification } from './verification.ts';

/** Tables that are restored at the same time, each with its own lanes. */
const tablesAtOnce = 2;

const { planRestore } = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  // It writes that the restore is running: no record may be written before it has ended.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  // A wrong host ends instead of hanging.
  scheduleToCloseTimeout: '2 minutes',
  heartbeatTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { createTables } = proxyActivities<Activities>({
  // The newest schema of a table is found by a listing of all its archives.
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '10s', maximumAttempts: 12 },
});
const { recordRestore } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** For a database that may not be there at all. */
const { recordRestore: recordBriefly } = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '5s' },
});

/** Restores tables of one database: plans, has each table restored (parents of foreign keys first), reports. */
export async function restoreAll(request: RestoreRequest): Promise<RestoreOutcome> {
  const restore = new RestoreRun(request);
  restore.listen();
  try {
    // Plan: check the request and order the tables.
    await restore.plan();
    // Read every archive to its end first, where that is asked for.
    await restore.verifyFirst();
    // Restore the tables, each once its parents are done.
    await restore.restoreTables();
  } catch (error) {
    if (isCancellation(error)) restore.cancelled = true;
    else restore.error = toTableError(error);
  }
  // Let the tables that still run come to their end, and report, whatever happened.
  await CancellationScope.nonCancellable(() => restore.report());
  return restore.end();
}

type TableHandle = ChildWorkflowHandle<typeof restoreTable>;

/** A table of the plan and how it goes. */
interface TableSlot extends PlannedTable {
  state: RestoreState;
  child: TableHandle | null;
  readonly line: SignalLine;
  /** What it told last of how far it is. */
  progress: TableProgress | null;
  outcome: TableOutcome | null;
}

/** The state of {@link restoreAll}; each method is a step of its plan. */
class RestoreRun {
  error: TableError | null = null;
  cancelled = false;
  readonly #request: RestoreRequest;
  readonly #control: Control;
  readonly #verification: Verification;
  readonly #startedAt = new Date();
  #phase: RestoreState = 'planning';
  readonly #searchState = new SearchState(false, null);
  #searchAttributes = false;
  #tables: TableSlot[] = [];
  /** By table; each promise settles and never rejects. */
  readonly #running = new Map<TableSlot, Promise<void>>();

  constructor(request: RestoreRequest) {
    this.#request = request;
    this.#control = new Control(null, {
      state: () => this.#state(),
      onPause: ({ reason, now }) => {
        if (now) this.#verification.rollBack();
        this.#relay((child) => child.signal(pauseSignal, reason ?? undefined, now));
      },
      onResume: () => {
        // What they told of pausing is over.
        for (const table of this.#tables) table.progress = null;
        this.#relay((child) => child.signal(resumeSignal));
      },
    });
    this.#verification = new Verification(request, this.#control, () => this.#show());
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    setHandler(tableCancelledSignal, (outcome) => {
      const slot = this.#slotOf(outcome.target);
      if (slot !== undefined) slot.outcome = outcome;
    });
    setHandler(tableProgressSignal, (progress) => {
      const slot = this.#slotOf(progress.target);
      if (slot !== undefined) slot.progress = progress;
      this.#show();
    });
    this.#control.listen(() => this.#show());
    this.#show();
  }

  async plan(): Promise<void> {
    // Before the plan, which goes by their foreign keys.
    if (this.#request.options.createTable) await createTables(this.#request);
    const plan: RestorePlan = await planRestore(this.#request);
    this.#searchAttributes = plan.searchAttributes;
    this.#tables = plan.tables.map((table) => ({
      ...table,
      state: 'queued',
      child: null,
      line: new SignalLine(),
      progress: null,
      outcome: null,
    }));
    this.#phase = 'running';
    if (plan.searchAttributes) {
      const { restoreId, database } = this.#request;
      this.#searchState.register({ restoreId, database, state: this.#state() });
    }
    this.#show();
  }

  /** Loads nothing of any table where archives of one are not sound. */
  async verifyFirst(): Promise<void> {
    if (!this.#request.options.verifyFirst) return;
    const tables = this.#tables.map(({ table }) => table);
    await this.#verification.run(tables, (outcomes) => {
      for (const [place, slot] of this.#tables.entries()) {
        slot.outcome = outcomes[place] ?? null;
        slot.state = 'failed';
      }
    });
  }

  async restoreTables(): Promise<void> {
    while (this.#tables.some(({ state }) => state === 'queued')) {
      await this.#control.whenRunning();
      const next = this.#nextTable();
      if (next === null) await this.#tableEnds();
      else this.#running.set(next, this.#restoreTable(next));
    }
    while (this.#running.size > 0) await this.#tableEnds();
  }

  async report(): Promise<void> {
    this.#show();
    await Promise.all(this.#running.values());
    await condition(allHandlersFinished);
    this.#phase = 'finishing';
    this.#show();
    // Without a plan there may be no database to write to: what is wrong with it is the outcome.
    if (this.#tables.length > 0) await this.#record();
    else if (this.cancelled) await this.#recordCancelledPlan();
    this.#phase = this.#outcome().state;
    this.#show();
  }

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): RestoreOutcome {
    const outcome = this.#outcome();
    if (outcome.state === 'cancelled') throw new CancelledFailure('The restore was cancelled.', [outcome]);
    if (outcome.state === 'failed') throw toFailure(outcome.error ?? firstError(outcome), outcome);
    return outcome;
  }

  /** What a restore did is told by its outcome, too, should the record of it not be written. */
  async #record(): Promise<void> {
    const outcome = this.#outcome();
    try {
      await recordRestore({ request: this.#request, state: outcome.state, outcome });
    } catch (error) {
      this.error ??= toTableError(error);
    }
  }

  /** The plan may have written that it runs. Where nothing was written, nothing needs to be put right. */
  async #recordCancelledPlan(): Promise<void> {
    const outcome = this.#outcome();
    try {
      await recordBriefly({ request: this.#request, state: outcome.state, outcome });
    } catch (error) {
      log.info('The cancellation is not recorded', { error: String(error) });
    }
  }

  /** The next table whose parents are done, if another may run; null otherwise. */
  #nextTable(): TableSlot | null {
    if (this.#running.size >= tablesAtOnce) return null;
    const queued = this.#tables.filter(({ state }) => state === 'queued');
    const ready = queued.find((table) => this.#parentsEnded(table));
    // Should parents go round in a circle, somebody has to be first.
    return ready ?? (this.#running.size === 0 ? queued[0] : null) ?? null;
  }

  async #tableEnds(): Promise<void> {
    const { size } = this.#running;
    await condition(() => this.#running.size < size);
  }

  /** A table that ends badly does not stop the others: its error is part of its outcome. */
  async #restoreTable(table: TableSlot): Promise<void> {
    table.state = 'running';
    try {
      const control = this.#control.carry();
      table.child = await this.#startTable(table, control);
      this.#catchUp(table, control);
      table.outcome = await table.child.result();
      table.state = isIncomplete(table.outcome.tally) ? 'completed_with_failures' : 'completed';
    } catch (error) {
      if (isCancellation(error)) this.#tableCancelled(table);
      else this.#tableFailed(table, error);
    } finally {
      this.#running.delete(table);
      this.#show();
    }
  }

  /** Whoever cancels one table, cancels the restore: another word for a part of it does not exist. */
  #tableCancelled(table: TableSlot): void {
    table.state = 'cancelled';
    if (!CancellationScope.current().consideredCancelled) this.#control.cancel();
  }

  #tableFailed(table: TableSlot, error: unknown): void {
    table.state = 'failed';
    table.outcome = detailOf<TableOutcome>(error) ?? {
      target: targetOf(table),
      tally: emptyTally,
      failures: [],
      error: this.#tableErrorOf(error, table),
      notices: [],
      columnNotes: [],
    };
  }

  /** Tells a table what was asked for while it was being started. */
  #catchUp(table: TableSlot, { paused }: ControlState): void {
    if (this.#control.paused === paused) return;
    const signal = this.#control.paused ? pauseSignal : resumeSignal;
    this.#tell(table, (child) => child.signal(signal));
  }

  async #startTable({ table }: TableSlot, control: ControlState): Promise<TableHandle> {
    const { restoreId, fingerprint, database, options, keys } = this.#request;
    return startReachableChild<typeof restoreTable>('restoreTable', {
      args: [
        {
          scope: { restoreId, fingerprint, database, table },
          options,
          keys,
          searchAttributes: this.#searchAttributes,
          control,
          carried: null,
        },
      ],
      workflowId: this.#targetId(table),
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: summaryText(`${database}: ${table.intoSchema}.${table.intoTable}`),
      ...searchAttributesOf(this.#searchAttributes, {
        restoreId,
        database,
        table: `${table.intoSchema}.${table.intoTable}`,
        state: 'planning',
      }),
    });
  }

  #tableErrorOf(error: unknown, { table }: TableSlot): TableError {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return toTableError(error);
    return {
      code: 'TargetBusy',
      message: `Another restore holds ${table.intoSchema}.${table.intoTable}: workflow ${this.#targetId(table)} is running.`,
      hint: errorTraits.TargetBusy.hint,
    };
  }

  #targetId({ intoSchema, intoTable }: PlannedTable['table']): string {
    return targetWorkflowId(this.#request.database, intoSchema, intoTable);
  }

  #parentsEnded(table: TableSlot): boolean {
    return table.parents.every((parent) => {
      const state = this.#tables[parent]?.state;
      return state !== 'queued' && state !== 'running';
    });
  }

  /** Tells the running tables; one that ends just now needs no telling. */
  #relay(send: (child: TableHandle) => Promise<void>): void {
    for (const table of this.#tables) if (table.state === 'running') this.#tell(table, send);
  }

  #tell({ child, line }: TableSlot, send: (child: TableHandle) => Promise<void>): void {
    if (child !== null) line.send(() => send(child));
  }

  #outcome(): RestoreOutcome {
    const tables = this.#tables.flatMap(({ outcome }) => (outcome === null ? [] : [outcome]));
    const failed = tables.filter((table) => table.error !== null).length;
    const tally = tables.reduce<Tally>((sum, table) => addTallies(sum, table.tally), emptyTally);
    return {
      restoreId: this.#request.restoreId,
      state: this.cancelled
        ? 'cancelled'
        : this.error !== null || (failed > 0 && failed === tables.length)
          ? 'failed'
          : failed > 0 || isIncomplete(tally)
            ? 'completed_with_failures'
            : 'completed',
      database: this.#request.database,
      tally,
      tables,
      error: this.error,
      seconds: (Date.now() - this.#startedAt.getTime()) / 1000,
    };
  }

  #state(): RestoreState {
    if (isEnded(this.#phase)) return this.#phase;
    if (this.cancelled) return 'cancelling';
    if (this.#phase !== 'running' || !this.#control.paused) return this.#phase;
    if (this.#verification.isReading) return 'pausing';
    const running = this.#tables.filter(({ state }) => state === 'running');
    return running.every(({ progress }) => progress?.state === 'paused') ? 'paused' : 'pausing';
  }

  #progress(): RestoreProgress {
    return sumProgress(
      {
        restoreId: this.#request.restoreId,
        database: this.#request.database,
        state: this.#state(),
        reason: this.#control.reason,
        startedAt: this.#startedAt.toISOString(),
      },
      this.#tables.map((table) => this.#tableProgress(table)),
      Date.now(),
    );
  }

  /** What is known here of a table: how it ended, or what it told last. Clients ask its own workflow. */
  #tableProgress(slot: TableSlot): TableProgress {
    const { state, outcome, progress } = slot;
    if (state === 'running' && progress !== null) return progress;
    const tally = outcome?.tally ?? emptyTally;
    // Only of a table that was gone through it is known how much there was.
    const whole = state === 'completed' || state === 'completed_with_failures';
    return {
      target: targetOf(slot),
      workflowId: this.#targetId(slot.table),
      state,
      archives: { done: archivesDone(tally), total: whole ? archivesDone(tally) : null },
      bytes: { done: tally.bytes, total: whole ? tally.bytes : null },
      tally,
      failures: outcome?.failures ?? [],
      inFlight: [],
    };
  }

  #slotOf(target: string): TableSlot | undefined {
    return this.#tables.find((table) => targetOf(table) === target);
  }

  #show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeRestore(progress, this.#errors()));
    this.#searchState.set(progress.state);
  }

  /** Why tables could not be restored as a whole, or nothing could. */
  #errors(): readonly string[] {
    const tables = this.#tables.flatMap((table) =>
      table.outcome?.error ? [`${targetOf(table)}: ${table.outcome.error.message}`] : [],
    );
    return this.error === null ? tables : [this.error.message, ...tables];
  }
}

function targetOf({ table }: PlannedTable): string {
  return `${table.intoSchema}.${table.intoTable}`;
}

function firstError(outcome: RestoreOutcome): TableError {
  const error = outcome.tables.find((table) => table.error !== null)?.error;
  return (
    error ?? { code: 'InputInvalid', message: 'Nothing was restored.', hint: errorTraits.InputInvalid.hint }
  );
}
