import type { TableError } from './outcome.ts';
import type { RestoreProgress } from './progress.ts';

/** One request to take a restore back. It holds names only. */
export interface UndoRequest {
  /** Id of the undo itself, which has one as every restore has. */
  readonly restoreId: string;
  /** The restore that is taken back. */
  readonly undoes: string;
  /** Fingerprint of what is not secret in the configuration of this database. */
  readonly fingerprint: string;
  /** `databases[].name` */
  readonly database: string;
  /** Triggers of the tables do not fire, whether or not they did for the restore. */
  readonly disableTriggers: boolean;
  /** Who asked for it. */
  readonly by: string;
  readonly reason: string | null;
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}

/** What there is to be undone of a table. */
export interface UndoExtent {
  /** `schema.table` */
  readonly target: string;
  /** Rows to be deleted. */
  readonly inserted: number;
  /** Rows to be brought back. */
  readonly overwritten: number;
  /** Rows that undos before have dealt with. */
  readonly undone: number;
}

/** What an undo finds before it begins. */
export interface UndoPlan {
  /** Whether the search attributes are registered. */
  readonly searchAttributes: boolean;
  readonly tables: readonly UndoExtent[];
}

/** How many rows of a table an undo, and those of the same restore before it, have dealt with. */
export interface UndoneRows {
  /** Rows that the restore had inserted. */
  readonly deleted: number;
  /** Rows that the restore had overwritten. */
  readonly broughtBack: number;
  /** Rows that the restore had inserted, and others had deleted since. */
  readonly gone: number;
}

/** Rows that were left for one reason. */
export interface LeftCount {
  /**
   * `changed` or `deleted` since, `referenced` by other rows, `orphaned` as what it referred to is gone, `not tried`,
   * or why PostgreSQL refuses.
   */
  readonly why: string;
  readonly rows: number;
}

/** What came of a table. */
export interface UndoneTable<Left extends LeftCount = LeftCount> extends UndoneRows {
  /** `schema.table` */
  readonly target: string;
  readonly left: readonly Left[];
  /** Why it could not be undone, or not to its end; null otherwise. */
  readonly error: TableError | null;
}

/** Something that a restore has made, and that an undo has left. */
export interface LeftObject {
  /** `schema`, `schema.table` or `schema.table.column` */
  readonly object: string;
  readonly why: string;
}

/** What came of the models and fields that a restore has made. */
export interface TakenObjects {
  /** Models that were taken away. */
  readonly models: number;
  /** Fields, of models that were there before. */
  readonly fields: number;
  /** Of both, and of the schema. */
  readonly left: number;
  /** The first of them. */
  readonly examples: readonly LeftObject[];
}

/** A table that could not be undone, or not to its end. */
export interface UndoFailure {
  /** `schema.table` */
  readonly target: string;
  readonly error: TableError;
}

/** What an undo tells while it works. */
export interface UndoHeartbeat {
  readonly tables: readonly (UndoneRows & Pick<UndoExtent, 'target'>)[];
}

/** How far an undo is, the answer of its `progress` query. */
export interface UndoProgress extends RestoreProgress {
  readonly undoes: string;
  /** By table; `total` counts what undos before have dealt with, too. */
  readonly undoing: readonly (UndoHeartbeat['tables'][number] & { readonly total: number })[];
  /** Null until it has ended; a cancelled workflow has no result, so that this is where its end is told. */
  readonly outcome: UndoOutcome | null;
}

/** The end of an undo. */
export interface UndoOutcome {
  readonly restoreId: string;
  readonly undoes: string;
  readonly database: string;
  /** `completed_with_failures`: rows were left, or tables could not be undone. */
  readonly state: 'completed' | 'completed_with_failures' | 'failed' | 'cancelled';
  readonly tables: readonly UndoneTable[];
  /** Null where the restore has made nothing. */
  readonly made: TakenObjects | null;
  /** Why it could not begin or go on; null otherwise. */
  readonly error: TableError | null;
  readonly seconds: number;
}

/** How an undo has come to its end. */
export interface UndoEnd {
  readonly request: UndoRequest;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly failures: readonly UndoFailure[];
  readonly isCancelled: boolean;
  /** Why it could not go on; null otherwise. */
  readonly error: TableError | null;
}

/** The activities of undos, by the names that the UI shows. */
export interface UndoActivities {
  /** Finds what there is to undo, and writes down that it begins. */
  planUndo(request: UndoRequest): Promise<UndoPlan>;
  /** Takes back what a restore did to its tables; what another attempt has taken back stays so. */
  undoRestore(request: UndoRequest): Promise<readonly UndoFailure[]>;
  /** Tells what came of it, and writes that down. */
  recordUndo(end: UndoEnd): Promise<UndoOutcome>;
}
