import { CancellationScope } from '@temporalio/workflow';
import type { Control } from './control.ts';

/** What a workflow does around its steps. */
export interface StepListener {
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
  #scope: CancellationScope | null = null;

  constructor(listener: StepListener) {
    this.#listener = listener;
  }

  /** Whether a step is under way, so that a pause has not taken hold yet. */
  get isUnderWay(): boolean {
    return this.#scope !== null;
  }

  /** Breaks the step under way off; it is done again at resume. */
  breakOff(): void {
    this.#scope?.cancel();
  }

  /** Does a step once the restore is not paused; again where a pause has broken it off. */
  async do<T>(control: Control, work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.whenRunning(control);
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
  async whenRunning(control: Control): Promise<void> {
    if (!control.paused) return;
    this.#listener.show();
    await this.#listener.onPaused();
    await control.whenRunning();
    await this.#listener.onResumed();
    this.#listener.show();
  }
}
