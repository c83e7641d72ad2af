import type { SnapshotTableName } from './snapshot.ts';

/** What a restore does to a row of the live table. */
export const differenceKinds = ['insert', 'update', 'delete'] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

/** Values by the names of their columns, as PostgreSQL's text; null is NULL. */
export type RowText = Readonly<Record<string, string | null>>;

/** A row that is not what a restore makes of it. */
export interface SnapshotDifference extends SnapshotTableName {
  readonly kind: DifferenceKind;
  /** The columns of the key; null: the table has none, and rows are compared as a whole. */
  readonly key: RowText | null;
  /** The row as it is; null: it is not there. */
  readonly before: RowText | null;
  /** The row as the snapshot has it; null: it is not there. */
  readonly after: RowText | null;
}
