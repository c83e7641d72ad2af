/** Rows to restore by the time that they have themselves. */
export interface TimeRange {
  /** Column of the target. */
  readonly column: string;
  /** Whether the column has a time zone, so that archived times need one to be compared. */
  readonly zoned: boolean;
  /** First time, `YYYY-MM-DDTHH:MM:SS.ffffff`, in UTC where there is a zone; null: no limit. */
  readonly from: string | null;
  /** The first time behind it, in the same form. */
  readonly to: string | null;
}
