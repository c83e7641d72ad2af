import type { ErrorCode } from './error-code.ts';
import type { Stage } from './thaw-error.ts';

/** Rows by what became of them; they add up to the rows read, but for those that were not asked for. */
export interface RowCounts {
  readonly inserted: number;
  readonly updated: number;
  /** Conflicts left as they were, equal rows, and rows superseded by a later one of the same archive. */
  readonly skipped: number;
  /** Rows that PostgreSQL did not accept, kept in `thaw.rejected_rows`, and the rows of failed archives. */
  readonly failed: number;
}

/** An archive that was not restored, and why. */
export interface ArchiveFailure {
  /** The archive's key. */
  readonly archive: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly stage: Stage | null;
  /** Records that it holds by its metadata or by what was read of it; 0 when unknown. */
  readonly rows: number;
}

/** Archives by what became of them. */
export interface ArchiveCounts {
  readonly restored: number;
  /** Restored by an earlier restore, or earlier by this one: not loaded again. */
  readonly earlier: number;
  readonly failed: number;
  /**
   * Archives of tables of the same name in other schemas, by schema: they lie in the same folder, and are left
   * out. Absent where there are none.
   */
  readonly foreign?: Readonly<Record<string, number>>;
}

/** What loads add up to: of an archive, a pack, a table or a whole restore. */
export interface Tally {
  readonly archives: ArchiveCounts;
  readonly rows: RowCounts;
  /** Compressed bytes of the archives that were decided. */
  readonly bytes: number;
}

/**
 * How values of a column came back otherwise than they were, or may have:
 *
 * dropped          the table has no such column; they were left out.
 * unrestorable     the archiver destroyed them; NULL was restored.
 * overwritten      the archiver wrote its own over them; the column was left to its default.
 * infinity_kept    they are the end of the archiver's calendar, which also stands for infinity; restored as they are.
 * infinity_mapped  the same, restored as infinity.
 * out_of_range     they are times that were not asked for; their rows were left out.
 * untimed          they are NULL where a time was asked for; their rows were left out.
 */
export type ColumnNoteKind =
  | 'dropped'
  | 'unrestorable'
  | 'overwritten'
  | 'infinity_kept'
  | 'infinity_mapped'
  | 'out_of_range'
  | 'untimed';

/** Values of one column that the user has to know of. */
export interface ColumnNote {
  /** Null: all the columns together that there are no notes of their own for. */
  readonly column: string | null;
  readonly kind: ColumnNoteKind;
  /** How many values other than null, but for `untimed`. */
  readonly values: number;
}

/** How many failures travel in results, progress and summaries; the ledger has them all. */
export const maxFailuresKept = 20;

/** The end of a table. */
export interface TableOutcome {
  /** `schema.table` of the target. */
  readonly target: string;
  readonly tally: Tally;
  readonly failures: readonly ArchiveFailure[];
  /** Why the table as a whole could not be restored (target missing or busy, permission, …); null when it was gone through. */
  readonly error: TableError | null;
  /** What the user should know besides: an index left alone, a column left out. */
  readonly notices: readonly string[];
  /** What the notices say of single columns, for programs. */
  readonly columnNotes: readonly ColumnNote[];
}

/** An error about a table or a whole restore, as it travels in results. */
export interface TableError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** The end of a restore: also what `thaw.restores` keeps and what `--json` prints. */
export interface RestoreOutcome {
  readonly restoreId: string;
  readonly state: 'completed' | 'completed_with_failures' | 'failed' | 'cancelled';
  readonly database: string;
  readonly tally: Tally;
  readonly tables: readonly TableOutcome[];
  /** Why nothing could be restored at all; null otherwise. */
  readonly error: TableError | null;
  /** Seconds from the start to the end, pauses included. */
  readonly seconds: number;
}
