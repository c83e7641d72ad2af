import { CancellationScope } from '@temporalio/workflow';
import type { RestoreState } from '../src/contract/progress.ts';
import { Control } from './control.ts';

/** What a workflow does around its steps. */
export interface StepListener {
  /** The state that is shown, with which updates are accepted or refused. */
  state(): RestoreState;
  /** The restore waits for its resume: writes so, once, where that is kept. */
  onPaused(): Promise<unknown>;
  /** It goes on. */
  onResumed(): Promise<unknown>;
  /** Something has changed that is shown. */
  show(): void;
}

/** The steps of a workflow, one at a time: a pause holds the next one up, and may break the one under way off. */
export class PausableSteps {
  readonly #listener: StepListener;
  readonly #control: Control;
  #scope: CancellationScope | null = null;

  constructor(listener: StepListener) {
    this.#listener = listener;
    this.#control = new Control(null, {
      state: () => listener.state(),
      onPause: ({ now }) => {
        // It is done again at resume.
        if (now) this.#scope?.cancel();
      },
    });
  }

  /** Sets the handlers of messages. */
  listen(): void {
    this.#control.listen(() => this.#listener.show());
  }

  /** Why users paused or cancelled it; null where they did not say. */
  get reason(): string | null {
    return this.#control.reason;
  }

  /** The state that is shown of a workflow in a phase. */
  stateIn(phase: RestoreState): RestoreState {
    return this.#control.stateIn(phase, this.#scope !== null);
  }

  /** Does a step once the restore is not paused; again where a pause has broken it off. */
  async do<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.whenRunning();
      const scope = new CancellationScope();
      this.#scope = scope;
      this.#listener.show();
      try {
        return await scope.run(work);
      } catch (error) {
        const isPaused = scope.consideredCancelled && !CancellationScope.current().consideredCancelled;
        if (!isPaused) throw error;
      } finally {
        this.#scope = null;
      }
    }
  }

  /** Resolves when the restore is not paused. */
  async whenRunning(): Promise<void> {
    if (!this.#control.paused) return;
    this.#listener.show();
    await this.#listener.onPaused();
    await this.#control.whenRunning();
    await this.#listener.onResumed();
    this.#listener.show();
  }
}
