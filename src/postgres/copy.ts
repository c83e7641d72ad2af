import type pg from 'pg';
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams';
import { quoteIdentifier } from './identifier.ts';

/** Bytes of COPY text, whose buffer goes back to where it came from. */
export interface CopyChunk {
  readonly bytes: Buffer;
  release(): void;
}

/**
 * From this size on a chunk always fills the socket's buffer, so that its write is answered only after the
 * kernel has all of it; the buffer of a smaller one may still be read from after the answer.
 */
const answeredLate = 64 * 1024;

/** One COPY into a table. The caller honours back-pressure by awaiting each write. */
export class Copy {
  readonly #stream: CopyStreamQuery;
  readonly #failed: Promise<never>;
  /** PostgreSQL has refused it, or is gone: the driver's stream knows no connection any more, and trips over that. */
  #isLost = false;
  /** Small chunks, kept until the COPY has ended. */
  #held: CopyChunk[] = [];

  /**
   * @param table quoted name
   * @param columns names, in the order of the fields
   */
  constructor(client: pg.Client, table: string, columns: readonly string[]) {
    const list = columns.map(quoteIdentifier).join(', ');
    this.#stream = client.query(copyFrom(`copy ${table} (${list}) from stdin`));
    // The stream may raise more than one error, and one that nobody listens for ends the process.
    this.#failed = new Promise((_, reject) => {
      this.#stream.on('error', (error) => {
        this.#isLost = true;
        reject(error);
      });
    });
    // An error that comes between two writes is met by the next one.
    this.#failed.catch(() => {});
  }

  /** @throws what PostgreSQL answers: the raw error of the driver */
  async write(chunk: CopyChunk): Promise<void> {
    if (this.#isLost) await this.#failed;
    const late = chunk.bytes.length >= answeredLate;
    if (!late) this.#held.push(chunk);
    // After an error the driver never answers a write, so waiting for the answer alone would be for ever.
    const answered = new Promise<void>((resolve) => this.#stream.write(chunk.bytes, () => resolve()));
    await Promise.race([answered, this.#failed]);
    if (late) chunk.release();
  }

  /**
   * Ends the COPY and waits until PostgreSQL has all of it.
   *
   * @returns the rows that PostgreSQL counted
   * @throws what PostgreSQL answers: the raw error of the driver
   */
  async finish(): Promise<number> {
    if (this.#isLost) await this.#failed;
    const finished = new Promise<void>((resolve) => this.#stream.end(resolve));
    await Promise.race([finished, this.#failed]);
    for (const chunk of this.#held) chunk.release();
    this.#held = [];
    return this.#stream.rowCount;
  }

  /** Gives the COPY up: PostgreSQL fails it, and with it the transaction. Waits until it has. */
  async abandon(): Promise<void> {
    if (this.#isLost || this.#stream.destroyed || this.#stream.writableFinished) return;
    const failed = new Promise<void>((resolve) => this.#stream.once('close', () => resolve()));
    this.#stream.destroy();
    await failed;
  }
}
