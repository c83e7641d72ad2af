/**
 * The archiver's record of what was restored: one object or row for each table, compatible in both
 * directions with its own tool. What Thaw skips is decided by the ledger; the watermark is written for
 * others to read, and read where another tool wrote it.
 */
export interface Watermark {
  readonly database: string;
  readonly table: string;
  /** Day of archiving of the last archive restored, `YYYY-MM-DD`. */
  readonly lastRestoredDay: string;
  /** Its key. */
  readonly lastRestoredKey: string;
  readonly totalArchives: number;
  /**
   * Whose rows it speaks of: host, port, database and table. Ours names it, since an object beside the
   * archives is the same for every database that they are restored into. Null: another tool wrote it.
   */
  readonly target: string | null;
}
