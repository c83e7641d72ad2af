/** What the audit trail tells of the restore of one table, in the archiver's words. */
export const auditEventTypes = ['restore_start', 'restore_success', 'restore_failure'] as const;
export type AuditEventType = (typeof auditEventTypes)[number];

/** An event of the audit trail: the fields that the archiver writes, in its order and under its names. */
export interface AuditEvent {
  /** ISO 8601 with `+00:00`. */
  readonly timestamp: string;
  readonly event_type: AuditEventType;
  readonly database: string;
  /** As archived. */
  readonly table: string;
  /** As archived. */
  readonly schema: string;
  /** Rows inserted and updated; null at the start. */
  readonly record_count: number | null;
  /** The archive, where exactly one was asked for by its key. */
  readonly s3_path: string | null;
  readonly status: 'started' | 'success' | 'failed';
  readonly duration_seconds: number | null;
  readonly operator: string;
  readonly error_message: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}
