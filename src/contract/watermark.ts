/**
 * The archiver's record of what was restored: one object or row for each table, compatible in both
 * directions with its own tool. What Thaw skips is decided by the ledger; the watermark is written for
 * others to read, and read where another tool wrote it.
 */
export interface Watermark {
  readonly database: string;
  /** As archived. */
  readonly table: string;
  /** Day of archiving of the last archive restored, `YYYY-MM-DD`. */
  readonly lastRestoredDay: string;
  /** Its key. */
  readonly lastRestoredKey: string;
  readonly totalArchives: number;
  /**
   * Whose rows it speaks of: host, port, database, table and its oid. Ours names it, since an object beside the
   * archives is the same for every database that they are restored into. Null: another tool wrote it.
   */
  readonly target: string | null;
}

/** When the watermark of a table is written: not at all, at the end, or after loads too. */
export type WatermarkUpdates = 'never' | 'end' | 'each';

/** How far the archives of a table are known to be restored without a gap. */
export interface WatermarkPosition {
  /** Where the listing goes on; null: at the start. */
  readonly cursor: string | null;
  /** Key of the last archive before the gap; null when there is none. */
  readonly lastKey: string | null;
}
