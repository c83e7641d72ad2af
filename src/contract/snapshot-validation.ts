import type { ErrorCode } from './error-code.ts';

/** Why a snapshot cannot be restored as it was asked for. */
export interface SnapshotIssue {
  /** For people; the documented words where the source system has some. */
  readonly issue: string;
  readonly code: ErrorCode;
  /** `schema.table`, the key of a file, or null: the snapshot itself. */
  readonly object: string | null;
}

/** What a snapshot is, under the documented names. */
export interface ValidatedSnapshot {
  readonly id: string;
  /** ISO 8601; null where nothing tells it. */
  readonly created_at: string | null;
  readonly status: 'active' | 'expired' | 'rolled_back' | 'archived' | 'damaged';
  /** `schema.table` */
  readonly affected_tables: readonly string[];
}

/** Whether a snapshot can be restored: the documented result of `validate_snapshot_integrity`, and more issues. */
export type SnapshotValidation =
  | {
      /** There are no issues. */
      readonly valid: boolean;
      readonly issues: readonly SnapshotIssue[];
      /** What a restore does that one should know of. */
      readonly notices: readonly string[];
      readonly snapshot: ValidatedSnapshot;
      /** Its rows were read, too. */
      readonly complete: boolean;
    }
  | { readonly valid: false; readonly error: 'Snapshot not found' };
