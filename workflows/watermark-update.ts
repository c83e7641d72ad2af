import { CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import type { Activities, HeldTarget, TableScope } from '../src/contract/activities.ts';
import type { WatermarkPosition } from '../src/contract/watermark.ts';
import { toTableError } from './failures.ts';

const { updateWatermark } = proxyActivities<Activities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '10s', maximumAttempts: 3 },
});

/** Milliseconds between two updates while loads go on: each looks at the ledger and at a page of the listing. */
const leastInterval = 5000;

/** Writes the watermark of a table, one update at a time. What fails here fails no restore. */
export class WatermarkUpdate {
  readonly #scope: TableScope;
  #position: WatermarkPosition;
  #inFlight: Promise<void> | null = null;
  #lastStart: number | null = null;

  constructor(scope: TableScope, carried: WatermarkPosition | null) {
    this.#scope = scope;
    this.#position = carried ?? { cursor: null, lastKey: null };
  }

  /** How far it came, for the next run of the workflow. */
  get position(): WatermarkPosition {
    return this.#position;
  }

  /** Begins an update after a load has ended, unless one runs or has just begun. */
  follow(target: HeldTarget): void {
    const isEarly = this.#lastStart !== null && Date.now() - this.#lastStart < leastInterval;
    if (this.#inFlight !== null || isEarly) return;
    this.#lastStart = Date.now();
    this.#inFlight = CancellationScope.nonCancellable(() => this.#update(target))
      .catch((error: unknown) => log.info('The watermark is not written yet', { error: String(error) }))
      .finally(() => {
        this.#inFlight = null;
      });
  }

  /** Waits for the update that runs. */
  async settle(): Promise<void> {
    await this.#inFlight;
  }

  /** Writes it a last time. Gives a notice where that fails. */
  async finish(target: HeldTarget): Promise<readonly string[]> {
    await this.settle();
    try {
      await this.#update(target);
      return [];
    } catch (error) {
      return [
        `The watermark is not written; the ledger has what was restored all the same. ${toTableError(error).message}`,
      ];
    }
  }

  async #update(target: HeldTarget): Promise<void> {
    this.#position = await updateWatermark({ scope: this.#scope, target, from: this.#position });
  }
}
