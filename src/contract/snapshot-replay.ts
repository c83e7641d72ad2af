import type { SnapshotTableName } from './snapshot.ts';

/**
 * What a log of changes can say that its rows contradict: a row is changed that is not there, or inserted that is;
 * what it was before is not what it was; an inserted row lacks columns; or nothing tells which of two changes of one
 * instant came first.
 */
export const logFaults = ['missing', 'present', 'differs', 'incomplete', 'unordered'] as const;
export type LogFault = (typeof logFaults)[number];

/** Where a log contradicts itself or the snapshot. */
export interface FaultyChange extends SnapshotTableName {
  readonly fault: LogFault;
  /** The row as the log names it. */
  readonly record: string;
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE';
  /** ISO 8601, to the microsecond. */
  readonly changedAt: string;
  /** The id of the entry; null where the log has none. */
  readonly entry: string | null;
}

/** What of the log was replayed over the rows of a table. */
export interface ReplayedTable extends SnapshotTableName {
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  /** Changes that contradict others or the snapshot. */
  readonly faults: number;
}
