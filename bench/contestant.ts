import type { ServerCpu } from './servers.ts';

/** What a contestant says of its own run. */
export interface Run {
  /** The time that counts. */
  readonly seconds: number;
  /** CPU seconds of the contestant's own processes, without the servers; null where unknown. */
  readonly cpuSeconds: number | null;
  /** Most memory that its process held; null where unknown. */
  readonly peakBytes: number | null;
  /** Other times of the same run, by what they are. */
  readonly parts: Readonly<Record<string, number>>;
}

/** A way to bring the rows into the empty table. */
export interface Contestant {
  /** Stands in the report. */
  readonly name: string;
  readonly lanes: number | null;
  /** The benchmark's servers that it uses; only their CPU time is its own. */
  readonly servers: readonly (keyof ServerCpu)[];
  /** @param round 0 for the warm-up */
  run(round: number): Promise<Run>;
}
