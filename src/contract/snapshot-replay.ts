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

/** A time behind a snapshot that its tables are brought to, by a log of their changes. */
export interface PointInTime {
  /** ISO 8601; changes of that very instant count. */
  readonly to: string;
  readonly log: SnapshotTableName;
  /** The moment of a snapshot that does not tell it itself, an object: ISO 8601; null for the others. */
  readonly since: string | null;
  /** Goes on where the log contradicts itself or the snapshot: its later word counts. */
  readonly acceptFaults: boolean;
}

/** What a replay did. */
export interface ReplayReport extends Pick<PointInTime, 'to' | 'log'> {
  /** In the order of the tables. */
  readonly tables: readonly ReplayedTable[];
  /** Some of each table; none unless they were accepted. */
  readonly faults: readonly FaultyChange[];
  /** For the user. */
  readonly notices: readonly string[];
}

/** What of the log was replayed over the rows of a table. */
export interface ReplayedTable extends SnapshotTableName {
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  /** Changes that contradict others or the snapshot. */
  readonly faults: number;
}
