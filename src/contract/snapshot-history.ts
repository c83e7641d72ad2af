import type {
  SnapshotSource,
  SnapshotStep,
  SnapshotStrategy,
  SnapshotTableResult,
  TenantPart,
} from './snapshot.ts';

/** How far a restore is, or was, with a table. */
export interface HistoryStep extends SnapshotStep {
  /** ISO 8601; null before. */
  readonly started_at: string | null;
  /** ISO 8601; null before. */
  readonly completed_at: string | null;
  /** Inserted and updated; null until it is merged. */
  readonly rows_restored: number | null;
}

/** Foreign keys that a restore took off while it merged. */
export interface HandledKeys {
  readonly disabled: number;
  /** As many as were taken off, once it has ended: they are put back by the same transaction or by its end. */
  readonly enabled: number;
  /** `name of schema.table` */
  readonly constraints: readonly string[];
}

/** The last error of a restore. */
export interface HistoryError {
  readonly code: string;
  readonly error: string;
  readonly hint: string | null;
  /** Table, object or setting that it is about. */
  readonly object: string | null;
  readonly sqlstate: string | null;
}

/** What of a restore has no column of its own. */
export interface HistoryMetadata {
  readonly database: string;
  readonly source: SnapshotSource;
  readonly strategy: SnapshotStrategy;
  readonly tenant: TenantPart | null;
  /** What the merge did, once it is committed. */
  readonly tables?: readonly SnapshotTableResult[];
}

/** A restore of a snapshot under the documented names of the source system's `backup_pitr_rollback_history`. */
export interface SnapshotHistory {
  readonly restore_id: string;
  readonly tenant_id: string | null;
  readonly snapshot_id: string;
  /** ISO 8601 */
  readonly rollback_started_at: string;
  /** ISO 8601 */
  readonly rollback_completed_at: string | null;
  readonly duration_seconds: number | null;
  readonly status: 'in_progress' | 'completed' | 'failed' | 'partial';
  /** Inserted and updated. */
  readonly rows_restored: number | null;
  /** `schema.table`; null until they are known. */
  readonly tables_affected: readonly string[] | null;
  readonly errors_encountered: number;
  readonly error_details: HistoryError | null;
  readonly initiated_by: string;
  readonly reason: string | null;
  readonly notes: string | null;
  readonly metadata: HistoryMetadata;
  readonly restoration_steps: readonly HistoryStep[];
  /** `pre_restore_snapshot`, `staging`, `staged`, `comparing_…`, `restoring_…`, `completed`, `failed` and the like. */
  readonly current_step: string | null;
  readonly tables_restored: readonly string[];
  readonly fk_constraints_handled: HandledKeys | Record<string, never>;
  readonly transaction_ids: readonly string[];
}
