import { CancellationScope } from '@temporalio/workflow';

/**
 * The loads of a table that are being done. They can be rolled back together, by `pause --now` and by an
 * error of the table; a scope that was cancelled stays so, hence each time a new one is opened.
 */
export class LoadWindow {
  /** By name; each promise settles and never rejects. */
  readonly #inFlight = new Map<string, Promise<void>>();
  #scope = new CancellationScope();

  get size(): number {
    return this.#inFlight.size;
  }

  get names(): string[] {
    return [...this.#inFlight.keys()];
  }

  /** What is in flight is being rolled back: nothing can be started before {@link reopen}. */
  get closed(): boolean {
    return this.#scope.consideredCancelled;
  }

  /**
   * Starts a load.
   *
   * @param work rejects with a cancellation when it was rolled back
   * @param ended called once it is no longer in flight, with what `work` rejected with
   */
  start(name: string, work: () => Promise<void>, ended: (error: unknown) => void): void {
    const leave = (error: unknown) => {
      this.#inFlight.delete(name);
      ended(error);
    };
    this.#inFlight.set(
      name,
      this.#scope.run(work).then(() => leave(null), leave),
    );
  }

  has(name: string): boolean {
    return this.#inFlight.has(name);
  }

  /** Rolls back what is in flight. */
  rollBack(): void {
    if (this.size > 0) this.#scope.cancel();
  }

  /** Resolves once nothing is in flight. */
  async drain(): Promise<void> {
    while (this.size > 0) await Promise.all(this.#inFlight.values());
  }

  /** Lets loads start again, once it was drained. */
  reopen(): void {
    if (this.closed) this.#scope = new CancellationScope();
  }
}
