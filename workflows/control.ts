import {
  CancellationScope,
  condition,
  log,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import {
  cancelSignal,
  type PauseRequest,
  pauseSignal,
  pauseUpdate,
  resumeSignal,
  resumeUpdate,
} from '../src/contract/messages.ts';
import { isEnded, type RestoreState } from '../src/contract/progress.ts';

const { cancelWorkflow } = proxyActivities<Activities>({ startToCloseTimeout: '10s' });

/** What is carried over continue-as-new, and what a child that starts late begins with. */
export interface ControlState {
  readonly paused: boolean;
  readonly reason: string | null;
}

/** What a workflow does when it is told something, besides what {@link Control} remembers. */
export interface ControlListener {
  /** The state before the message, with which updates are accepted or refused. */
  state(): RestoreState;
  onPause?(request: PauseRequest): void;
  onResume?(): void;
}

/**
 * What users asked of a running restore. Handlers only write down what is wanted and are set before
 * the first await; the plan of the workflow looks here before each step.
 */
export class Control {
  paused: boolean;
  reason: string | null;
  readonly #listener: ControlListener;
  #changed: () => void = () => {};

  constructor(carried: ControlState | null, listener: ControlListener) {
    this.paused = carried?.paused ?? false;
    this.reason = carried?.reason ?? null;
    this.#listener = listener;
  }

  /**
   * The state that is shown of a workflow in a phase: that it is paused shows until it comes to its end.
   *
   * @param isUnderWay a step goes on nevertheless
   */
  stateIn(phase: RestoreState, isUnderWay = false): RestoreState {
    const isEnding = isEnded(phase) || phase === 'finishing' || phase === 'cancelling';
    if (isEnding || !this.paused) return phase;
    return isUnderWay ? 'pausing' : 'paused';
  }

  /**
   * Sets the handlers of updates and signals.
   *
   * @param changed called after each message
   */
  listen(changed: () => void): void {
    this.#changed = changed;
    setHandler(
      pauseUpdate,
      (request: PauseRequest) => {
        this.#pause(request);
        return this.#listener.state();
      },
      { validator: (_request: PauseRequest) => this.#refuseUnlessActive('paused') },
    );
    setHandler(
      resumeUpdate,
      () => {
        this.#resume();
        return this.#listener.state();
      },
      { validator: () => this.#refuseUnlessPaused() },
    );
    setHandler(pauseSignal, (reason, now) => this.#pause({ reason: reason ?? null, now: now ?? false }));
    setHandler(resumeSignal, () => this.#resume());
    setHandler(cancelSignal, (reason) => {
      this.reason = reason ?? null;
      this.cancel();
      this.#changed();
    });
  }

  /** Resolves when the restore is not paused. */
  async whenRunning(): Promise<void> {
    if (this.paused) await condition(() => !this.paused);
  }

  /** What to carry over continue-as-new. */
  carry(): ControlState {
    return { paused: this.paused, reason: this.reason };
  }

  /**
   * Has the workflow cancelled. It cannot cancel itself: failing with a cancellation that nobody asked
   * Temporal for ends it as failed. So an activity asks.
   */
  cancel(): void {
    const { workflowId, firstExecutionRunId } = workflowInfo();
    cancelWorkflow({ workflowId, firstExecutionRunId }).catch((error: unknown) =>
      log.info('The request to cancel ended with the workflow', { error: String(error) }),
    );
  }

  #pause(request: PauseRequest): void {
    this.paused = true;
    this.reason = request.reason;
    this.#listener.onPause?.(request);
    this.#changed();
  }

  #resume(): void {
    this.paused = false;
    this.reason = null;
    this.#listener.onResume?.();
    this.#changed();
  }

  #refuseUnlessActive(verb: string): void {
    const state = this.#listener.state();
    if (isEnded(state) || state === 'cancelling' || state === 'finishing') {
      throw new Error(`The restore is ${state} and cannot be ${verb} any more.`);
    }
  }

  #refuseUnlessPaused(): void {
    this.#refuseUnlessActive('resumed');
    if (!this.paused) throw new Error('The restore is not paused.');
  }
}

/** Rejects when the workflow was cancelled, where nothing else is waited for that would. */
export async function throwIfCancelled(): Promise<void> {
  const scope = CancellationScope.current();
  if (scope.consideredCancelled) await scope.cancelRequested;
}
