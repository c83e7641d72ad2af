import type { ArchiveFailure, Tally } from './outcome.ts';

/**
 * The states of a restore and of each of its tables.
 *
 *     queued ──> planning ──> running <──> pausing ──> paused ──> running
 *     running, pausing, paused ──> finishing ──> completed, completed_with_failures, failed
 *     planning ──> failed
 *     queued, planning, running, pausing, paused ──> cancelling ──> cancelled
 *
 * queued     entered when the request is accepted; left when its workflow runs.
 * planning   takes the target or, for a restore, reads configuration, tables and foreign keys; loads nothing.
 * running    loads archives, at most `lanes` at a time for each table.
 * pausing    entered by pause; nothing new starts; left when the last load in flight is done.
 * paused     nothing is in flight, and nothing is finished either; left by resume or cancel.
 * finishing  every archive is decided, or an error ends it; indexes, sequences, ANALYZE, and the target is let go.
 * cancelling entered by cancel; loads in flight roll back, dropped indexes are rebuilt.
 * completed, completed_with_failures, failed, cancelled: ended.
 */
export const restoreStates = [
  'queued',
  'planning',
  'running',
  'pausing',
  'paused',
  'finishing',
  'completed',
  'completed_with_failures',
  'failed',
  'cancelling',
  'cancelled',
] as const;
export type RestoreState = (typeof restoreStates)[number];

/** Tells whether a state is one that a restore does not leave. */
export function isEnded(state: RestoreState): boolean {
  return (
    state === 'completed' ||
    state === 'completed_with_failures' ||
    state === 'failed' ||
    state === 'cancelled'
  );
}

/** How far something is: `done` of `total`; null where the listing has not told yet. */
export interface Extent {
  readonly done: number;
  readonly total: number | null;
}

/** Progress of one table, the answer of its workflow's `progress` query. */
export interface TableProgress {
  /** `schema.table` of the target. */
  readonly target: string;
  /** Id of the workflow that holds the table. */
  readonly workflowId: string;
  readonly state: RestoreState;
  readonly archives: Extent;
  /** Compressed bytes. */
  readonly bytes: Extent;
  readonly tally: Tally;
  /** The first failures, at most {@link maxFailuresKept}; `tally.archives.failed` counts them all. */
  readonly failures: readonly ArchiveFailure[];
  /** Names of the archives or packs being loaded. */
  readonly inFlight: readonly string[];
}

/** Progress of a restore, the answer of the `progress` query and of `GET /api/runs/:runId`. */
export interface RestoreProgress {
  readonly restoreId: string;
  readonly database: string;
  readonly state: RestoreState;
  /** Why it is paused or cancelled, as the one who asked for it said. */
  readonly reason: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly archives: Extent;
  readonly bytes: Extent;
  readonly tally: Tally;
  readonly rowsPerSecond: number;
  /** Seconds to go at the present rate; null while unknown. */
  readonly etaSeconds: number | null;
  readonly failures: readonly ArchiveFailure[];
  readonly tables: readonly TableProgress[];
}
