import type { Stage } from '../contract/thaw-error.ts';

/** What the heartbeats of a load say. */
export interface LoadHeartbeat {
  readonly stage: Stage;
  /** Key of the archive being worked on. */
  readonly archive: string;
  /** Rows sent to PostgreSQL by this attempt. */
  readonly rows: number;
  /** Decompressed bytes read by this attempt. */
  readonly bytes: number;
}

/** Milliseconds without a byte after which reading no longer counts as alive. */
const readingStalls = 120_000;

/** How far a load is. Heartbeats come from a timer, but only while something moves. */
export class LoadProgress {
  #stage: Stage = 'download';
  #archive = '';
  #rows = 0;
  #bytes = 0;
  #movedAt = Date.now();

  /** Enters a stage. */
  enter(stage: Stage, archive: string): void {
    this.#stage = stage;
    this.#archive = archive;
    this.#movedAt = Date.now();
  }

  /** Counts what was read and sent. */
  move(bytes: number, rows: number): void {
    this.#bytes += bytes;
    this.#rows += rows;
    this.#movedAt = Date.now();
  }

  /**
   * Whether the load is alive: waiting for PostgreSQL, for a lock or for the turn is, as their own
   * limits end them; a store that gives nothing is not.
   */
  get alive(): boolean {
    const reading = this.#stage === 'download' || this.#stage === 'metadata';
    return !reading || Date.now() - this.#movedAt < readingStalls;
  }

  get stage(): Stage {
    return this.#stage;
  }

  snapshot(): LoadHeartbeat {
    return { stage: this.#stage, archive: this.#archive, rows: this.#rows, bytes: this.#bytes };
  }
}
