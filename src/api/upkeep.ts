import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** Something to be done again and again. */
export interface UpkeepJob {
  /** For the log: `bundles removed`. */
  readonly what: string;
  /** @returns how often it had something to do */
  readonly work: () => Promise<number>;
}

/** Does its jobs again and again until it is stopped. What fails is logged, and tried again. */
export class Upkeep {
  readonly #jobs: readonly UpkeepJob[];
  readonly #seconds: number;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  /** @param seconds between two rounds */
  constructor(jobs: readonly UpkeepJob[], seconds: number, logger: Logger) {
    this.#jobs = jobs;
    this.#seconds = seconds;
    this.#logger = logger;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Ends after the job that is under way. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      for (const job of this.#jobs) if (!signal.aborted) await this.#do(job);
      await sleep(this.#seconds * 1000, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #do({ what, work }: UpkeepJob): Promise<void> {
    try {
      const done = await work();
      if (done > 0) this.#logger.info({ done }, what);
    } catch (error) {
      this.#logger.warn({ err: error }, `${what}: failed, and is tried again`);
    }
  }
}
