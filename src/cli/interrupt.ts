const signals = ['SIGINT', 'SIGTERM'] as const;

/** Ctrl-C and SIGTERM: the first asks to stop, the second leaves at once. */
export class Interrupt {
  readonly #asked = new AbortController();
  readonly #onSignal = (): void => {
    if (this.#asked.signal.aborted) process.exit(130);
    this.#asked.abort();
  };

  constructor() {
    for (const signal of signals) process.on(signal, this.#onSignal);
  }

  /** Aborted by the first. */
  get signal(): AbortSignal {
    return this.#asked.signal;
  }

  /** Resolves with the first. */
  asked(): Promise<void> {
    const { signal } = this.#asked;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Gives the signals back to Node. */
  release(): void {
    for (const signal of signals) process.off(signal, this.#onSignal);
  }
}
