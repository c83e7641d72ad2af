import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  type ChildWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
} from '@temporalio/workflow';
import type { PlannedTable } from '../src/contract/activities.ts';
import { errorTraits } from '../src/contract/error-code.ts';
import { pauseSignal, resumeSignal } from '../src/contract/messages.ts';
import { targetWorkflowId } from '../src/contract/names.ts';
import type { TableError, TableOutcome } from '../src/contract/outcome.ts';
import type { RestoreState, TableProgress } from '../src/contract/progress.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { summaryText } from '../src/restore/clip.ts';
import { archivesDone, emptyTally, isIncomplete } from '../src/restore/tally.ts';
import type { Control, ControlState } from './control.ts';
import { detailOf, toTableError } from './failures.ts';
import type { restoreTable } from './restore-table.ts';
import { searchAttributesOf } from './search-attributes.ts';
import { SignalLine } from './signal-line.ts';
import { startReachableChild } from './start-child.ts';

type TableHandle = ChildWorkflowHandle<typeof restoreTable>;

/** A table of the plan of a restore, the child workflow that restores it, and how that goes. */
export class TableSlot {
  state: RestoreState = 'queued';
  outcome: TableOutcome | null = null;
  /** What it told last of how far it is. */
  told: TableProgress | null = null;
  readonly plan: PlannedTable;
  readonly #request: RestoreRequest;
  /** Whether the search attributes are registered. */
  readonly #searchAttributes: boolean;
  readonly #line = new SignalLine();
  #child: TableHandle | null = null;

  constructor(plan: PlannedTable, request: RestoreRequest, searchAttributes: boolean) {
    this.plan = plan;
    this.#request = request;
    this.#searchAttributes = searchAttributes;
  }

  /** `schema.table`, into which it is restored. */
  get target(): string {
    const { intoSchema, intoTable } = this.plan.table;
    return `${intoSchema}.${intoTable}`;
  }

  /** Has the table restored. One that ends badly does not stop the others: its error is part of its outcome. */
  async restore(control: Control): Promise<void> {
    this.state = 'running';
    try {
      const begun = control.carry();
      this.#child = await this.#start(begun);
      // What was asked for while it was being started.
      if (control.paused && !begun.paused) this.#signal((child) => child.signal(pauseSignal));
      if (!control.paused && begun.paused) this.#signal((child) => child.signal(resumeSignal));
      this.outcome = await this.#child.result();
      this.state = isIncomplete(this.outcome.tally) ? 'completed_with_failures' : 'completed';
    } catch (error) {
      if (isCancellation(error)) this.#cancelled(control);
      else this.#failed(error);
    }
  }

  /** Has it pause, if it runs; one that ends just now needs no telling. */
  pause(reason: string | null, now: boolean): void {
    if (this.state === 'running')
      this.#signal((child) => child.signal(pauseSignal, reason ?? undefined, now));
  }

  resume(): void {
    // What it told of pausing is over.
    this.told = null;
    if (this.state === 'running') this.#signal((child) => child.signal(resumeSignal));
  }

  /** What is known here of the table: how it ended, or what it told last. Clients ask its own workflow. */
  progress(): TableProgress {
    const { state, outcome, told, target } = this;
    if (state === 'running' && told !== null) return told;
    const tally = outcome?.tally ?? emptyTally;
    // Only of a table that was gone through it is known how much there was.
    const whole = state === 'completed' || state === 'completed_with_failures';
    return {
      ...{ target, workflowId: this.#workflowId, state },
      archives: { done: archivesDone(tally), total: whole ? archivesDone(tally) : null },
      bytes: { done: tally.bytes, total: whole ? tally.bytes : null },
      ...{ tally, failures: outcome?.failures ?? [], inFlight: [] },
    };
  }

  #start(control: ControlState): Promise<TableHandle> {
    const { restoreId, fingerprint, database, options, keys } = this.#request;
    const searchAttributes = this.#searchAttributes;
    const scope = { restoreId, fingerprint, database, table: this.plan.table };
    return startReachableChild<typeof restoreTable>('restoreTable', {
      args: [{ scope, options, keys, searchAttributes, control, carried: null }],
      workflowId: this.#workflowId,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: summaryText(`${database}: ${this.target}`),
      ...searchAttributesOf(searchAttributes, { restoreId, database, table: this.target, state: 'planning' }),
    });
  }

  #signal(send: (child: TableHandle) => Promise<void>): void {
    const child = this.#child;
    if (child !== null) this.#line.send(() => send(child));
  }

  /** Whoever cancels one table, cancels the restore: another word for a part of it does not exist. */
  #cancelled(control: Control): void {
    this.state = 'cancelled';
    if (!CancellationScope.current().consideredCancelled) control.cancel();
  }

  #failed(error: unknown): void {
    this.state = 'failed';
    this.outcome = detailOf<TableOutcome>(error) ?? {
      target: this.target,
      tally: emptyTally,
      failures: [],
      error: this.#errorOf(error),
      notices: [],
      columnNotes: [],
    };
  }

  #errorOf(error: unknown): TableError {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return toTableError(error);
    return {
      code: 'TargetBusy',
      message: `Another restore holds ${this.target}: workflow ${this.#workflowId} is running.`,
      hint: errorTraits.TargetBusy.hint,
    };
  }

  get #workflowId(): string {
    const { intoSchema, intoTable } = this.plan.table;
    return targetWorkflowId(this.#request.database, intoSchema, intoTable);
  }
}
