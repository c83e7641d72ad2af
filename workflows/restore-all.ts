import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  type ChildWorkflowHandle,
  condition,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  startChild,
} from '@temporalio/workflow';
import type { Activities, PlannedTable, RestorePlan } from '../src/contract/activities.ts';
import { errorTraits } from '../src/contract/error-code.ts';
import { pauseSignal, progressQuery, resumeSignal, tableCancelledSignal } from '../src/contract/messages.ts';
import { targetWorkflowId } from '../src/contract/names.ts';
import type { RestoreOutcome, TableError, TableOutcome, Tally } from '../src/contract/outcome.ts';
import type { RestoreProgress, RestoreState, TableProgress } from '../src/contract/progress.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { describeRestore } from '../src/restore/details.ts';
import { sumProgress } from '../src/restore/progress.ts';
import { addTallies, archivesDone, emptyTally } from '../src/restore/tally.ts';
import { Control, type ControlState } from './control.ts';
import { detailOf, toFailure, toTableError } from './failures.ts';
import type { restoreTable } from './restore-table.ts';
import { searchAttributesOf, setSearchAttributes } from './search-attributes.ts';

/** Tables that are restored at the same time, each with its own lanes. */
const tablesAtOnce = 2;

const { planRestore } = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  // A wrong host ends instead of hanging.
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { recordRestore } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** Restores tables of one database: plans, has each table restored (parents of foreign keys first), reports. */
export async function restoreAll(request: RestoreRequest): Promise<RestoreOutcome> {
  const restore = new RestoreRun(request);
  restore.listen();
  try {
    // Plan: check the request and order the tables.
    await restore.plan();
    // Restore the tables, each once its parents are done.
    await restore.restoreTables();
  } catch (error) {
    if (isCancellation(error)) restore.cancelled = true;
    else restore.error = toTableError(error);
  }
  // Report, whatever happened.
  await CancellationScope.nonCancellable(() => restore.report());
  return restore.end();
}

/** A table of the plan and how it goes. */
interface TableSlot extends PlannedTable {
  state: RestoreState;
  child: ChildWorkflowHandle<typeof restoreTable> | null;
  outcome: TableOutcome | null;
}

/** The state of {@link restoreAll}; each method is a step of its plan. */
class RestoreRun {
  error: TableError | null = null;
  cancelled = false;
  readonly #request: RestoreRequest;
  readonly #control: Control;
  readonly #startedAt = new Date();
  #phase: RestoreState = 'planning';
  #searchAttributes = false;
  #tables: TableSlot[] = [];

  constructor(request: RestoreRequest) {
    this.#request = request;
    this.#control = new Control(null, {
      state: () => this.#state(),
      onPause: ({ reason, now }) =>
        this.#relay((child) => child.signal(pauseSignal, reason ?? undefined, now)),
      onResume: () => this.#relay((child) => child.signal(resumeSignal)),
    });
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    this.#control.listen(() => this.#show());
    setHandler(progressQuery, () => this.#progress());
    setHandler(tableCancelledSignal, (outcome) => {
      const slot = this.#tables.find((table) => targetOf(table) === outcome.target);
      if (slot !== undefined) slot.outcome = outcome;
    });
    this.#show();
  }

  async plan(): Promise<void> {
    const plan: RestorePlan = await planRestore(this.#request);
    this.#searchAttributes = plan.searchAttributes;
    this.#tables = plan.tables.map((table) => ({ ...table, state: 'queued', child: null, outcome: null }));
    this.#phase = 'running';
    setSearchAttributes(this.#searchAttributes, {
      restoreId: this.#request.restoreId,
      database: this.#request.database,
      state: 'running',
    });
    this.#show();
  }

  async restoreTables(): Promise<void> {
    const running = new Set<TableSlot>();
    const ended: Promise<void>[] = [];
    while (this.#tables.some((table) => table.state === 'queued')) {
      await this.#control.whenRunning();
      const next = this.#tables.find((table) => table.state === 'queued' && this.#parentsEnded(table));
      if (next === undefined || running.size >= tablesAtOnce) {
        const before = running.size;
        await condition(() => running.size < before);
        continue;
      }
      running.add(next);
      next.state = 'running';
      ended.push(this.#restoreTable(next).finally(() => running.delete(next)));
    }
    await Promise.all(ended);
  }

  async report(): Promise<void> {
    await condition(allHandlersFinished);
    const outcome = this.#outcome();
    // Without a plan there may be no database to write to: what is wrong with it is the outcome.
    if (this.#tables.length > 0) {
      await recordRestore({ request: this.#request, state: outcome.state, outcome });
    }
    this.#phase = outcome.state;
    setSearchAttributes(this.#searchAttributes, { state: outcome.state });
    this.#show();
  }

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): RestoreOutcome {
    const outcome = this.#outcome();
    if (outcome.state === 'cancelled') throw new CancelledFailure('The restore was cancelled.', [outcome]);
    if (outcome.state === 'failed') throw toFailure(outcome.error ?? firstError(outcome), outcome);
    return outcome;
  }

  /** A table that ends badly does not stop the others: its error is part of its outcome. */
  async #restoreTable(table: TableSlot): Promise<void> {
    try {
      const control = this.#control.carry();
      table.child = await this.#startTable(table, control);
      if (this.#control.paused !== control.paused)
        await table.child.signal(pauseOrResume(this.#control.paused));
      table.outcome = await table.child.result();
      table.state = table.outcome.tally.archives.failed > 0 ? 'completed_with_failures' : 'completed';
    } catch (error) {
      if (isCancellation(error)) {
        table.state = 'cancelled';
        throw error;
      }
      table.state = 'failed';
      table.outcome = detailOf<TableOutcome>(error) ?? {
        target: targetOf(table),
        tally: emptyTally,
        failures: [],
        error: this.#tableErrorOf(error, table),
        notices: [],
      };
    } finally {
      this.#show();
    }
  }

  async #startTable(
    { table }: TableSlot,
    control: ControlState,
  ): Promise<ChildWorkflowHandle<typeof restoreTable>> {
    const { restoreId, fingerprint, database, options, keys } = this.#request;
    return startChild<typeof restoreTable>('restoreTable', {
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
      staticSummary: `${database}: ${table.intoSchema}.${table.intoTable}`,
      ...searchAttributesOf(this.#searchAttributes, {
        restoreId,
        database,
        table: `${table.intoSchema}.${table.intoTable}`,
        state: 'running',
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
  #relay(send: (child: ChildWorkflowHandle<typeof restoreTable>) => Promise<void>): void {
    for (const { child, state } of this.#tables) {
      if (child !== null && state === 'running') send(child).catch(() => {});
    }
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
          : failed > 0 || tally.archives.failed > 0
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
    if (this.#phase !== 'running') return this.#phase;
    if (this.cancelled) return 'cancelling';
    if (!this.#control.paused) return 'running';
    return this.#tables.some((table) => table.state === 'running') ? 'pausing' : 'paused';
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

  /** What is known here of a table: how it ended. While it runs, clients ask its own workflow. */
  #tableProgress(slot: TableSlot): TableProgress {
    const tally = slot.outcome?.tally ?? emptyTally;
    const ended = slot.outcome !== null;
    return {
      target: targetOf(slot),
      workflowId: this.#targetId(slot.table),
      state: slot.state,
      archives: { done: archivesDone(tally), total: ended ? archivesDone(tally) : null },
      bytes: { done: tally.bytes, total: ended ? tally.bytes : null },
      tally,
      failures: slot.outcome?.failures ?? [],
      inFlight: [],
    };
  }

  #show(): void {
    setCurrentDetails(describeRestore(this.#progress()));
  }
}

function pauseOrResume(paused: boolean) {
  return paused ? pauseSignal : resumeSignal;
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
