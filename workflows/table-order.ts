import { condition } from '@temporalio/workflow';
import type { TableSlot } from './table-slot.ts';

/** Tables that are restored at the same time, each with its own lanes. */
const tablesAtOnce = 2;

/** The order in which the tables of a restore are restored: parents of foreign keys first, some at the same time. */
export class TableOrder {
  readonly #tables: readonly TableSlot[];
  /** Each promise settles and never rejects. */
  readonly #running = new Map<TableSlot, Promise<void>>();

  constructor(tables: readonly TableSlot[]) {
    this.#tables = tables;
  }

  /**
   * Goes through all of them.
   *
   * @param whenRunning resolves when nothing is paused
   * @param restore sets the state of its table at once, and never rejects
   */
  async follow(
    whenRunning: () => Promise<void>,
    restore: (table: TableSlot) => Promise<void>,
  ): Promise<void> {
    while (this.#tables.some(({ state }) => state === 'queued')) {
      await whenRunning();
      const next = this.#next();
      if (next === null) await this.#oneEnds();
      else
        this.#running.set(
          next,
          restore(next).finally(() => this.#running.delete(next)),
        );
    }
    while (this.#running.size > 0) await this.#oneEnds();
  }

  /** Resolves once no table runs. */
  async settle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** The next table whose parents are done, if another may run; null otherwise. */
  #next(): TableSlot | null {
    if (this.#running.size >= tablesAtOnce) return null;
    const queued = this.#tables.filter(({ state }) => state === 'queued');
    const ready = queued.find(({ plan }) => this.#haveEnded(plan.parents));
    // Should parents go round in a circle, somebody has to be first.
    return ready ?? (this.#running.size === 0 ? queued[0] : null) ?? null;
  }

  #haveEnded(parents: readonly number[]): boolean {
    return parents.every((parent) => {
      const state = this.#tables[parent]?.state;
      return state !== 'queued' && state !== 'running';
    });
  }

  async #oneEnds(): Promise<void> {
    const { size } = this.#running;
    await condition(() => this.#running.size < size);
  }
}
