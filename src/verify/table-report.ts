import type { ErrorCode } from '../contract/error-code.ts';
import type { TableError } from '../contract/outcome.ts';
import type { Difference, Span } from '../postgres/compare.ts';

/** An archive that could not be compared, and why. */
export interface UnverifiedArchive {
  readonly archive: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** What came of comparing a table with the archives that a restore brought into it. */
export interface TableReport {
  /** `schema.table` */
  readonly target: string;
  /** Columns by which rows were found; null: rows were compared as a whole, and counted. */
  readonly key: readonly string[] | null;
  readonly archives: { readonly compared: number; readonly total: number };
  /** Rows of the archives, by what the table has of them; all but `rows` add up to it. */
  readonly rows: number;
  readonly equal: number;
  /** The table has another archived row of the same key, as the restore's conflict strategy wants it. */
  readonly superseded: number;
  readonly differing: number;
  readonly missing: number;
  /** Rows that the restore left out and keeps: not compared, and not among `rows`. */
  readonly rejected: number;
  /** First and last time by the configured timestamp column; null where there is none. */
  readonly timestamps: { readonly column: string; readonly archives: Span; readonly table: Span } | null;
  /** The first that are off, in archive order; no content. */
  readonly differences: readonly Difference[];
  /** The first archives that could not be compared. */
  readonly unverified: readonly UnverifiedArchive[];
  /** Why the table could not be compared at all; null otherwise. */
  readonly error: TableError | null;
  readonly notices: readonly string[];
}

/** `incomplete`: something could not be compared, and nothing else is off. */
export type Verdict = 'equal' | 'different' | 'incomplete';

/** What came of comparing all tables of a restore. */
export interface RestoreReport {
  readonly restoreId: string;
  readonly database: string;
  readonly verdict: Verdict;
  readonly tables: readonly TableReport[];
}

/** Of a table that nothing was compared of. */
export const emptyReport: Omit<TableReport, 'target'> = {
  key: null,
  archives: { compared: 0, total: 0 },
  rows: 0,
  equal: 0,
  superseded: 0,
  differing: 0,
  missing: 0,
  rejected: 0,
  timestamps: null,
  differences: [],
  unverified: [],
  error: null,
  notices: [],
};

/** What tables come to: any difference outweighs what could not be compared. */
export function verdictOf(tables: readonly TableReport[]): Verdict {
  if (tables.some(({ differing, missing }) => differing + missing > 0)) return 'different';
  const isComplete = ({ error, archives }: TableReport) =>
    error === null && archives.compared === archives.total;
  return tables.every(isComplete) ? 'equal' : 'incomplete';
}
