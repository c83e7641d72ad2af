import { ThawError } from '../contract/thaw-error.ts';
import type { runWorker, WorkerOptions } from '../worker.ts';

/** What a worker in this process needs, but for when it begins and ends. */
export type OwnWorkerOptions = Omit<WorkerOptions, 'taskQueue' | 'onReady' | 'signal'>;

/** The worker that runs in the process of a command, for the restore of that command. */
export class OwnWorker {
  readonly #run: Promise<{ readonly runWorker: typeof runWorker }>;
  readonly #options: OwnWorkerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;

  /** @param run its code, which takes most of a second to load */
  constructor(run: Promise<{ readonly runWorker: typeof runWorker }>, options: OwnWorkerOptions) {
    this.#run = run;
    this.#options = options;
  }

  /** Resolves once it polls the queue, at once where it does already; rejects where it ends before. */
  async start(taskQueue: string): Promise<void> {
    if (this.#running !== null) return;
    const { runWorker } = await this.#run;
    const signal = this.#stopping.signal;
    const polls = new Promise<void>((resolve) => {
      this.#running = runWorker({ ...this.#options, taskQueue, signal, onReady: resolve });
    });
    await Promise.race([polls, this.gone()]);
  }

  /**
   * Never resolves.
   *
   * @throws what ended it before it was told to stop: it has nobody else to end it
   */
  async gone(): Promise<never> {
    await this.#running;
    throw new ThawError('ConfigInvalid', 'the worker of this command has ended', {
      hint: 'Look at the log with --verbose, then give the same command again: it goes on where it was.',
    });
  }

  /** Resolves once it has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
  }
}
