import type pg from 'pg';
import type { CopyPiece } from '../../archive/copy-piece.ts';
import { CopyRun } from '../../load/copy-run.ts';
import { Copy } from '../../postgres/copy.ts';

/** Copies rows into one table on several connections at once, in no order. */
export class Lanes {
  readonly #runs: readonly CopyRun[];
  /** What each lane is busy with. */
  readonly #writes: Promise<void>[];
  #next = 0;

  /**
   * @param table quoted name
   * @param columns names, which the pieces index
   */
  constructor(clients: readonly pg.Client[], table: string, columns: readonly string[]) {
    this.#runs = clients.map(
      (client) =>
        new CopyRun(
          async (indexes) =>
            new Copy(
              client,
              table,
              indexes.map((index) => columns[index] ?? ''),
            ),
        ),
    );
    this.#writes = clients.map(() => Promise.resolve());
  }

  /** Gives a piece to the next lane, and waits only where that is still busy. @throws what PostgreSQL answers, raw */
  async write(piece: CopyPiece): Promise<void> {
    const lane = this.#next;
    this.#next = (lane + 1) % this.#runs.length;
    await this.#writes[lane];
    const write = this.#runs[lane]?.write(piece) ?? Promise.resolve();
    // Whoever waits for the lane next is told.
    write.catch(() => {});
    this.#writes[lane] = write;
  }

  /** Ends all COPY and compares PostgreSQL's counts with the rows sent. @throws ThawError `CountMismatch` */
  async finish(): Promise<void> {
    await Promise.all(this.#writes);
    await Promise.all(this.#runs.map((run) => run.finish()));
  }

  /** Gives all COPY up. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#writes);
    await Promise.allSettled(this.#runs.map((run) => run.abandon()));
  }
}
