import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { progressQuery } from '../src/contract/messages.ts';
import type { TableError } from '../src/contract/outcome.ts';
import type { RestoreState } from '../src/contract/progress.ts';
import type {
  UndoActivities,
  UndoFailure,
  UndoOutcome,
  UndoPlan,
  UndoProgress,
  UndoRequest,
} from '../src/contract/undo-request.ts';
import { describeUndo, undoOutcome, undoProgress } from '../src/restore/undo-progress.ts';
import { carryOut, endWith, type PlannedRun } from './carry-out.ts';
import { Control } from './control.ts';
import { toTableError } from './failures.ts';
import { SearchState } from './search-attributes.ts';

const retry = { initialInterval: '500ms', maximumInterval: '30s' } as const;
const { planUndo, recordUndo } = proxyActivities<UndoActivities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  retry,
});

/**
 * Takes a restore back, whatever happens to workers meanwhile: what was undone stays so.
 *
 * A pause lets the transaction end that is under way, and the tables go. A cancel does the same for good; another
 * undo of the restore goes on from there.
 */
export async function undoRestore(request: UndoRequest): Promise<UndoOutcome> {
  const undo = new Undo(request);
  undo.listen();
  await carryOut(undo, async () => {
    // Find what there is to undo.
    await undo.plan();
    // Put the rows back.
    await undo.run();
  });
  return endWith(undo.outcome);
}

/** The state of {@link undoRestore}; each method is a step of its plan. */
class Undo implements PlannedRun {
  cancelled = false;
  readonly #request: UndoRequest;
  readonly #control: Control;
  readonly #searchState = new SearchState(false, null);
  readonly #startedAt = new Date();
  #phase: RestoreState = 'planning';
  #plan: UndoPlan | null = null;
  /** What is under way, for a pause to end. */
  #work: CancellationScope | null = null;
  /** Null until all tables are decided. */
  #failures: readonly UndoFailure[] | null = null;
  #error: TableError | null = null;
  #outcome: UndoOutcome | null = null;

  constructor(request: UndoRequest) {
    this.#request = request;
    this.#control = new Control(null, {
      state: () => this.#state(),
      onPause: () => this.#work?.cancel(),
    });
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    this.#control.listen(() => this.#show());
    this.#show();
  }

  async plan(): Promise<void> {
    this.#plan = await planUndo(this.#request);
    const { restoreId, database } = this.#request;
    this.#phase = 'running';
    if (this.#plan.searchAttributes) {
      this.#searchState.register({ restoreId, database, state: this.#state() });
    }
    this.#show();
  }

  async run(): Promise<void> {
    const { undoRestore: undo } = proxyActivities<UndoActivities>({
      startToCloseTimeout: '7 days',
      heartbeatTimeout: (this.#request.heartbeatSeconds ?? 20) * 1000,
      // The tables have to be let go before anything else is done about them.
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      retry,
    });
    while (this.#failures === null) {
      await this.#control.whenRunning();
      const work = new CancellationScope();
      this.#work = work;
      try {
        this.#failures = await work.run(() => undo(this.#request));
      } catch (error) {
        if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      } finally {
        this.#work = null;
        this.#show();
      }
    }
  }

  fail(error: unknown): void {
    this.#error = toTableError(error);
  }

  async finish(): Promise<void> {
    this.#phase = this.cancelled ? 'cancelling' : 'finishing';
    this.#show();
    this.#outcome = await this.#tell();
    this.#phase = this.#outcome.state;
    this.#show();
    await condition(allHandlersFinished);
  }

  get outcome(): UndoOutcome {
    if (this.#outcome === null) throw new TypeError('the undo has no outcome');
    return this.#outcome;
  }

  async #tell(): Promise<UndoOutcome> {
    const startedAt = this.#startedAt.toISOString();
    const end = {
      ...{ request: this.#request, startedAt, failures: this.#failures ?? [] },
      ...{ isCancelled: this.cancelled, error: this.#error },
    };
    // One that was refused changes nothing, and nothing is written down of it.
    if (this.#plan === null) return undoOutcome(end, [], null, Date.now());
    try {
      return await recordUndo(end);
    } catch (error) {
      return undoOutcome({ ...end, error: end.error ?? toTableError(error) }, [], null, Date.now());
    }
  }

  #progress(): UndoProgress {
    const head = {
      state: this.#state(),
      reason: this.#control.reason,
      startedAt: this.#startedAt.toISOString(),
    };
    return undoProgress(this.#request, head, this.#plan, this.#outcome, Date.now());
  }

  #state(): RestoreState {
    return this.#control.stateIn(this.#phase, this.#work !== null);
  }

  #show(): void {
    this.#searchState.set(this.#state());
    setCurrentDetails(describeUndo(this.#request, this.#progress()));
  }
}
