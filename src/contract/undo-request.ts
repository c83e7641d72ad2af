import type { TableError } from './outcome.ts';

/** One request to take a restore back. It holds names only. */
export interface UndoRequest {
  /** The restore that is undone. */
  readonly restoreId: string;
  /** Fingerprint of what is not secret in the configuration of this database. */
  readonly fingerprint: string;
  /** `databases[].name` */
  readonly database: string;
  /** Triggers of the tables do not fire, whether or not they did for the restore. */
  readonly disableTriggers: boolean;
}

/** A table that could not be undone, or not to its end. */
export interface UndoFailure {
  /** `schema.table` */
  readonly target: string;
  readonly error: TableError;
}

/** The activity of undos, by the name that the UI shows. */
export interface UndoActivities {
  /** Takes back what a restore did to its tables; what another attempt has taken back stays so. */
  undoRestore(request: UndoRequest): Promise<readonly UndoFailure[]>;
}
