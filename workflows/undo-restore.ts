import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
} from '@temporalio/workflow';
import type { RestoreState } from '../src/contract/progress.ts';
import type {
  UndoActivities,
  UndoEnd,
  UndoFailure,
  UndoOutcome,
  UndoPlan,
  UndoProgress,
  UndoRequest,
} from '../src/contract/undo-request.ts';
import { describeUndo, undoOutcome, undoProgress } from '../src/restore/undo-progress.ts';
import { carryOut } from './carry-out.ts';
import { Control } from './control.ts';
import { PlannedRestore } from './planned-restore.ts';

const retry = { initialInterval: '500ms', maximumInterval: '30s' } as const;
const { planUndo, recordUndo } = proxyActivities<UndoActivities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  retry,
});

/**
 * Takes a restore back, whatever happens to workers meanwhile: what was undone stays so.
 *
 *     plan ──> run ──> finish
 *
 * plan    entered at the start; finds what there is to undo. One that is refused goes to finish.
 * run     puts the rows back, and takes away what was made; begun again after each pause.
 * finish  entered by an error or a cancel too: writes down what came of each table.
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
  return undo.end();
}

/** An undo as it goes; each method is a step of the plan of {@link undoRestore}. */
class Undo extends PlannedRestore<UndoOutcome, UndoProgress> {
  readonly #request: UndoRequest;
  #plan: UndoPlan | null = null;
  /** What is under way, for a pause to end. */
  #work: CancellationScope | null = null;
  /** Null until all tables are decided. */
  #failures: readonly UndoFailure[] | null = null;
  protected readonly control = new Control(null, {
    state: () => this.state(),
    onPause: () => this.#work?.cancel(),
  });

  constructor(request: UndoRequest) {
    super();
    this.#request = request;
  }

  async plan(): Promise<void> {
    this.#plan = await planUndo(this.#request);
    this.phase = 'running';
    if (this.#plan.searchAttributes) this.register(this.#request);
    this.show();
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
      await this.control.whenRunning();
      const work = new CancellationScope();
      this.#work = work;
      try {
        this.#failures = await work.run(() => undo(this.#request));
      } catch (error) {
        if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      } finally {
        this.#work = null;
        this.show();
      }
    }
  }

  async finish(): Promise<void> {
    this.phase = this.cancelled ? 'cancelling' : 'finishing';
    this.show();
    this.outcome = await this.#record();
    this.phase = this.outcome.state;
    this.show();
    await condition(allHandlersFinished);
  }

  /** Writes down what came of it, and gives that. One that was refused changes nothing: nothing is written of it. */
  async #record(): Promise<UndoOutcome> {
    if (this.#plan === null) return this.tell();
    try {
      return await recordUndo(this.#end);
    } catch (error) {
      if (this.error === null) this.fail(error);
      return this.tell();
    }
  }

  get #end(): UndoEnd {
    return {
      ...{ request: this.#request, startedAt: this.startedAt.toISOString() },
      ...{ failures: this.#failures ?? [], isCancelled: this.cancelled, error: this.error },
    };
  }

  protected tell(): UndoOutcome {
    return undoOutcome(this.#end, [], null, Date.now());
  }

  protected progress(): UndoProgress {
    return undoProgress(this.#request, this.head(), this.#plan, this.outcome, Date.now());
  }

  protected override state(): RestoreState {
    return this.control.stateIn(this.phase, this.#work !== null);
  }

  protected describe(progress: UndoProgress): string {
    return describeUndo(this.#request, progress);
  }
}
