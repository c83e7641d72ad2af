import type { SnapshotTableName, SnapshotTableResult } from './snapshot.ts';
import type { SnapshotDifference } from './snapshot-difference.ts';
import type { SnapshotIssue } from './snapshot-validation.ts';

/** A difference in a preview: with its values only where they were asked for. */
export type DifferenceSample = Pick<SnapshotDifference, 'kind' | 'key'> &
  Partial<Pick<SnapshotDifference, 'before' | 'after'>>;

/** What a restore would do to a table. */
export interface TablePreview extends SnapshotTableResult {
  /** Some differences of each kind. */
  readonly samples: readonly DifferenceSample[];
  /** Triggers that would fire, and are kept from it. */
  readonly triggers: readonly string[];
}

/** How a foreign key is kept from standing in the way of a merge. */
export type KeyHold =
  /** It is checked at the end, as it was declared that it may be. */
  | 'deferred'
  /** Likewise, after it was altered so that it may be. */
  | 'made deferrable'
  /** It would delete or change rows by itself, or refuse at once, which nothing defers: dropped, and added again. */
  | 'taken off';

/** A foreign key, and what a restore does with it while it merges. */
export interface HeldKey {
  readonly name: string;
  readonly table: SnapshotTableName;
  readonly refersTo: SnapshotTableName;
  readonly hold: KeyHold;
}

/** A lock that a merge takes, and holds to its end. */
export interface PlannedLock {
  readonly table: SnapshotTableName;
  /** `share row exclusive` lets others read; `access exclusive` has them wait. */
  readonly lock: 'share row exclusive' | 'access exclusive';
  readonly why: string;
}

/** What a restore would do. */
export interface SnapshotPreview {
  /** Parents of foreign keys first. */
  readonly tables: readonly TablePreview[];
  /** None where nothing differs. */
  readonly foreignKeys: readonly HeldKey[];
  /** One for each table, by name. */
  readonly locks: readonly PlannedLock[];
  /** Rows for which it would be refused, each as the restore itself would say it. */
  readonly issues: readonly SnapshotIssue[];
  /** For `SnapshotRequest.ifUnchanged`. */
  readonly ifUnchanged: string;
  /** What the user should know besides. */
  readonly notices: readonly string[];
}
