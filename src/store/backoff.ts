import { setTimeout as delay } from 'node:timers/promises';
import { ThawError } from '../contract/thaw-error.ts';

// Retries without a pause all land in the same window of a throttling store, so none is shorter than this.
const shortestPause = 250;
const longestPause = 4_000;
/** An endpoint that swallows packets costs a time-out for each try; then the clock ends it before the count does. */
const longestTime = 40_000;

/** Counts tries that brought nothing, and waits longer after each. */
export class Backoff {
  readonly #signal: AbortSignal | undefined;
  readonly #tries: number;
  #failures = 0;
  #since = 0;

  /** @param tries so many that bring nothing are the end */
  constructor(signal: AbortSignal | undefined, tries = 8) {
    this.#signal = signal;
    this.#tries = tries;
  }

  /** To be called when something came: what follows is counted anew. */
  progressed(): void {
    this.#failures = 0;
  }

  /**
   * Waits after a failure.
   *
   * @throws the signal's reason when aborted; the error itself when it is not one of the moment, or
   *   after so many tries or 40 s without progress
   */
  async pause(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(error instanceof ThawError) || !error.retryable) throw error;
    const now = performance.now();
    if (this.#failures === 0) this.#since = now;
    this.#failures += 1;
    if (this.#failures >= this.#tries || now - this.#since > longestTime) throw error;
    const pause = Math.min(shortestPause * 2 ** (this.#failures - 1), longestPause);
    // The random part keeps lanes that failed together from coming back together.
    await this.#sleep(pause * (1 + Math.random() / 4));
  }

  async #sleep(milliseconds: number): Promise<void> {
    try {
      await delay(milliseconds, undefined, { signal: this.#signal });
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw error;
    }
  }
}

/** Does something until it succeeds or the backoff gives up; `work` raises errors of the closed set. */
export async function persist<T>(work: () => Promise<T>, backoff: Backoff): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await backoff.pause(error);
    }
  }
}
