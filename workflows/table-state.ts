import { setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { HeldTarget, PreparedTable } from '../src/contract/activities.ts';
import { tableProgressQuery } from '../src/contract/messages.ts';
import type { TableError, TableOutcome } from '../src/contract/outcome.ts';
import type { RestoreState, TableProgress } from '../src/contract/progress.ts';
import { ArchiveQueue } from '../src/restore/archive-queue.ts';
import { describeTable } from '../src/restore/details.ts';
import { TableResults } from '../src/restore/table-results.ts';
import { archivesDone, isIncomplete } from '../src/restore/tally.ts';
import { AuditTrail } from './audit-trail.ts';
import { Control } from './control.ts';
import { LoadWindow } from './load-window.ts';
import { ParentReport } from './parent-report.ts';
import { SearchState } from './search-attributes.ts';
import type { CarriedTable, RestoreTableInput } from './table-input.ts';
import { WatermarkUpdate } from './watermark-update.ts';

/** What a restore of a table knows of itself, carries over continue-as-new, tells whoever asks and shows. */
export class TableState {
  readonly input: RestoreTableInput;
  cancelled = false;
  /** Of the table as a whole. */
  error: TableError | null = null;
  /** Where it is, whatever users ask of it meanwhile. */
  phase: 'planning' | 'running' | 'finishing' | 'ended';
  /** Null until the target is taken. */
  prepared: PreparedTable | null;
  /** Archives of the present round of those that were deferred; null before the first. */
  round: number | null;
  readonly control: Control;
  /** What is still to be loaded ... */
  readonly queue: ArchiveQueue;
  /** ... what is being loaded ... */
  readonly window = new LoadWindow();
  /** ... and what the loads came to. */
  readonly results: TableResults;
  readonly watermark: WatermarkUpdate;
  readonly audit: AuditTrail;
  readonly report = new ParentReport();
  readonly #searchState: SearchState;

  constructor(input: RestoreTableInput) {
    const { carried, options } = input;
    this.input = input;
    this.phase = carried === null ? 'planning' : 'running';
    this.prepared = carried?.prepared ?? null;
    this.round = carried?.round ?? null;
    this.queue = new ArchiveQueue(options, carried?.queue ?? null);
    this.results = new TableResults(carried?.results ?? null);
    this.watermark = new WatermarkUpdate(input.scope, carried?.watermark ?? null);
    this.audit = new AuditTrail(input);
    this.#searchState = new SearchState(input.searchAttributes, carried === null ? 'planning' : null);
    this.control = new Control(input.control, {
      state: () => this.#state(),
      onPause: ({ now }) => {
        if (now) this.window.rollBack();
      },
    });
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(tableProgressQuery, () => this.#progress());
    this.control.listen(() => this.show());
    this.show();
  }

  /** `schema.table`, into which it is restored. */
  get target(): string {
    const { intoSchema, intoTable } = this.input.scope.table;
    return `${intoSchema}.${intoTable}`;
  }

  /** The target, as long as this restore has it. @throws before it was taken */
  get held(): HeldTarget {
    return this.#taken.target;
  }

  outcome(): TableOutcome {
    const { tally, failures, notices, columnNotes } = this.results;
    return { target: this.target, tally, failures, error: this.error, notices, columnNotes };
  }

  /** What to carry over continue-as-new. */
  carry(): CarriedTable {
    return {
      prepared: { ...this.#taken, notices: [] },
      queue: this.queue.carry(),
      results: this.results.carry(),
      round: this.round,
      watermark: this.watermark.position,
    };
  }

  /** Tells everybody who looks: the Temporal UI, its search, and the restore. */
  show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeTable(progress));
    this.#searchState.set(progress.state);
    this.report.progress(progress);
  }

  get #taken(): PreparedTable {
    if (this.prepared === null) throw new Error('The target is not taken yet.');
    return this.prepared;
  }

  #state(): RestoreState {
    if (this.phase === 'ended') {
      if (this.cancelled) return 'cancelled';
      if (this.error !== null) return 'failed';
      return isIncomplete(this.results.tally) ? 'completed_with_failures' : 'completed';
    }
    if (this.cancelled) return 'cancelling';
    if (this.phase !== 'running' || !this.control.paused) return this.phase;
    return this.window.size > 0 ? 'pausing' : 'paused';
  }

  #progress(): TableProgress {
    const { tally, failures } = this.results;
    const { total } = this.queue;
    return {
      target: this.target,
      workflowId: workflowInfo().workflowId,
      state: this.#state(),
      archives: { done: archivesDone(tally), total: total?.archives ?? null },
      bytes: { done: tally.bytes, total: total?.bytes ?? null },
      tally,
      failures,
      inFlight: this.window.names,
    };
  }
}
