import { type ArchiveFailure, maxFailuresKept, type Tally } from '../contract/outcome.ts';
import type { Extent, RestoreProgress, RestoreState, TableProgress } from '../contract/progress.ts';
import { isEnded } from '../contract/progress.ts';
import { addTallies, emptyTally } from './tally.ts';

/** What is known of a restore besides its tables. */
export interface RestoreHead {
  readonly restoreId: string;
  readonly database: string;
  readonly state: RestoreState;
  readonly reason: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
}

/**
 * Adds the tables' progress up to that of their restore.
 *
 * @param now milliseconds since the epoch; rate and time to go are as of then
 */
export function sumProgress(
  head: RestoreHead,
  tables: readonly TableProgress[],
  now: number,
): RestoreProgress {
  const tally = tables.reduce<Tally>((sum, table) => addTallies(sum, table.tally), emptyTally);
  const archives = sumExtents(tables.map((table) => table.archives));
  const bytes = sumExtents(tables.map((table) => table.bytes));
  const seconds = Math.max((now - Date.parse(head.startedAt)) / 1000, 0.001);
  const { inserted, updated, skipped } = tally.rows;
  const failures = tables.flatMap<ArchiveFailure>((table) => table.failures).slice(0, maxFailuresKept);
  return {
    ...head,
    archives,
    bytes,
    tally,
    rowsPerSecond: (inserted + updated + skipped) / seconds,
    etaSeconds: head.state === 'running' ? timeToGo(bytes, seconds) : null,
    failures,
    tables,
  };
}

/**
 * The progress of a restore with what its running tables answered themselves in place of what
 * restore-all knows of them.
 *
 * @param answers by target
 */
export function mergeProgress(
  restore: RestoreProgress,
  answers: ReadonlyMap<string, TableProgress>,
  now: number,
): RestoreProgress {
  if (isEnded(restore.state)) return restore;
  const tables = restore.tables.map((table) =>
    isEnded(table.state) ? table : (answers.get(table.target) ?? table),
  );
  return sumProgress({ ...restore, state: stateOf(restore, tables) }, tables, now);
}

/** A restore is paused once each of its running tables is; only these know. */
function stateOf(restore: RestoreProgress, tables: readonly TableProgress[]): RestoreState {
  if (restore.state !== 'pausing') return restore.state;
  const waiting = tables.filter((table) => !isEnded(table.state) && table.state !== 'queued');
  // Without a table, the restore itself does something: it reads archives.
  if (waiting.length === 0) return restore.state;
  return waiting.every((table) => table.state === 'paused') ? 'paused' : 'pausing';
}

function sumExtents(extents: readonly Extent[]): Extent {
  return {
    done: extents.reduce((sum, extent) => sum + extent.done, 0),
    total: extents.reduce<number | null>(
      (sum, extent) => (sum === null || extent.total === null ? null : sum + extent.total),
      0,
    ),
  };
}

function timeToGo(bytes: Extent, seconds: number): number | null {
  if (bytes.total === null || bytes.done === 0) return null;
  return ((bytes.total - bytes.done) / bytes.done) * seconds;
}
