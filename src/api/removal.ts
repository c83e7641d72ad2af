import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ControlDatabase } from '../control/control-database.ts';
import { takeExpiredUploads } from '../control/uploads.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Milliseconds between two looks. */
const pause = 60_000;
/** Objects in one transaction, which waits for the store. */
const batch = 20;

/** Removes the bundles whose time is over, until it is stopped; any number of API processes may. */
export class Removal {
  readonly #control: ControlDatabase;
  readonly #store: ObjectStore;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(control: ControlDatabase, store: ObjectStore, logger: Logger) {
    this.#control = control;
    this.#store = store;
    this.#logger = logger;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Ends after the look that is under way. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  /** Removes all whose time is over. @returns how many */
  async removeExpired(): Promise<number> {
    for (let removed = 0; ; ) {
      const keys = await this.#control.transaction(async (client) => {
        const expired = await takeExpiredUploads(client, batch);
        // Within the transaction: what the store does not remove is not marked.
        for (const key of expired) await this.#store.remove(key);
        return expired;
      });
      removed += keys.length;
      if (keys.length < batch) return removed;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        const removed = await this.removeExpired();
        if (removed > 0) this.#logger.info({ removed }, 'bundles removed whose time is over');
      } catch (error) {
        this.#logger.warn(
          { err: error },
          'bundles whose time is over could not be removed; it is tried again',
        );
      }
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
