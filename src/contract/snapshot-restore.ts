import type { HeldTarget } from './activities.ts';
import type { ErrorCode } from './error-code.ts';
import type { TableError } from './outcome.ts';
import type { RestoreProgress, RestoreState } from './progress.ts';
import type {
  CreateSnapshotRequest,
  SnapshotOutcome,
  SnapshotRequest,
  SnapshotSource,
  SnapshotStep,
  SnapshotStrategy,
  SnapshotTableName,
  SnapshotTableResult,
  TenantPart,
} from './snapshot.ts';
import type { KeyHold, PlannedLock } from './snapshot-preview.ts';

/** The steps of a restore of a snapshot, in their order. */
export const snapshotRestoreSteps = ['check', 'snapshot', 'stage', 'merge', 'finish'] as const;
export type SnapshotRestoreStep = (typeof snapshotRestoreSteps)[number];

/** A table of a plan. */
export interface PlannedSnapshotTable extends SnapshotTableName {
  /** Rows that the snapshot has of it. */
  readonly rows: number;
}

/** A foreign key that a merge keeps from checking, and how; `taken off` is dropped, and put back at the end. */
export interface PlannedSnapshotKey {
  readonly name: string;
  /** `schema.table` */
  readonly table: string;
  readonly hold: KeyHold;
}

/** A lock that a merge takes, and holds to its end. */
export interface PlannedSnapshotLock {
  /** `schema.table` */
  readonly table: string;
  readonly lock: PlannedLock['lock'];
  readonly why: string;
}

/** What a restore of a snapshot is going to do. Its tables are held from then on. */
export interface SnapshotPlan {
  readonly held: readonly HeldTarget[];
  /** Parents of foreign keys first. */
  readonly tables: readonly PlannedSnapshotTable[];
  /** Of tables that do not differ, none is held, and no lock but the weak one taken. */
  readonly keys: readonly PlannedSnapshotKey[];
  readonly locks: readonly PlannedSnapshotLock[];
  /** The snapshot of what is there now; null: none is asked for. */
  readonly preSnapshot: CreateSnapshotRequest | null;
  /** Its id; of one that is merged already, the one that was taken then. */
  readonly preSnapshotId: string | null;
  /** It was done already, by a run of which Temporal has forgotten. */
  readonly isMerged: boolean;
  /** What the user should know. */
  readonly notices: readonly string[];
  /** Whether the search attributes are registered: setting one that is not makes workflow tasks fail for ever. */
  readonly searchAttributes: boolean;
}

/** A table whose rows are staged: what a merge needs to find them. */
export interface StagedTableRef extends PlannedSnapshotTable {
  /** Of the table itself; one that was made anew is another table. */
  readonly oid: number;
  /** Columns of the table that the snapshot does not have. */
  readonly without: readonly string[];
  /** Which rows of the table count; null: all. */
  readonly tenant: TenantPart | null;
}

/** What was staged. */
export interface StagedSnapshot {
  /** Parents of foreign keys first. */
  readonly tables: readonly StagedTableRef[];
  readonly notices: readonly string[];
}

/** What a merge has committed. */
export interface MergedSnapshot {
  readonly tables: readonly SnapshotTableResult[];
  readonly transactionId: string;
  /** What could not be done beside the rows. */
  readonly notices: readonly string[];
}

/** Why a restore has changed nothing. */
export type SnapshotFailure = Omit<TableError, 'code'> & { readonly code: ErrorCode | 'Cancelled' };

/** How a restore is left. */
export interface FinishedSnapshot {
  /** What was committed, whatever was heard of it; null: nothing, and what was taken before is removed. */
  readonly merged: MergedSnapshot | null;
  readonly notices: readonly string[];
}

/** How far an activity is, as its heartbeats tell. */
export interface SnapshotHeartbeat {
  readonly steps: readonly SnapshotStep[];
}

/** Progress of a restore of a snapshot: the one of all restores, and its tables. */
export interface SnapshotProgress extends RestoreProgress {
  readonly snapshotStep: SnapshotRestoreStep;
  readonly source: SnapshotSource;
  readonly strategy: SnapshotStrategy;
  /** Parents of foreign keys first; none before they are known. */
  readonly steps: readonly SnapshotStep[];
  readonly keys: readonly PlannedSnapshotKey[];
  readonly locks: readonly PlannedSnapshotLock[];
  readonly preSnapshotId: string | null;
  readonly notices: readonly string[];
  /** Null until it has ended; a cancelled workflow has no result, so that this is where its end is told. */
  readonly outcome: SnapshotOutcome | null;
}

/** Asks to do something with tables that a restore holds. */
export interface HeldSnapshot {
  readonly request: SnapshotRequest;
  readonly held: readonly HeldTarget[];
}

/** The activities of restores of snapshots, by the names that the UI shows. Each file of activities/ implements one. */
export interface SnapshotRestoreActivities {
  /** Opens the snapshot, sees that it can be restored, takes its tables, and writes down that the restore begins. */
  checkSnapshot(request: SnapshotRequest): Promise<SnapshotPlan>;
  /** Copies its rows into tables of a schema of their own. */
  stageSnapshot(input: HeldSnapshot): Promise<StagedSnapshot>;
  /**
   * Brings them into the tables, in one transaction, with the mark that the snapshot was restored. Gives null where the
   * stage is no more, as after a crash of PostgreSQL: it has to be staged again.
   */
  mergeSnapshot(input: HeldSnapshot & { readonly staged: StagedSnapshot }): Promise<MergedSnapshot | null>;
  /** Keeps the tables until it is cancelled: each of its attempts renews their lease and has the next one follow. */
  renewSnapshot(input: HeldSnapshot): Promise<never>;
  /** Removes the stage, looks after the foreign keys and lets the tables go. */
  finishSnapshot(input: {
    readonly request: SnapshotRequest;
    readonly preSnapshotId: string | null;
    /** Why nothing was merged, as far as the workflow knows; null: it was. */
    readonly failure: SnapshotFailure | null;
  }): Promise<FinishedSnapshot>;
  /** Writes state and outcome into `thaw.snapshot_restores`. */
  recordSnapshot(input: {
    readonly request: SnapshotRequest;
    readonly state: RestoreState;
    readonly outcome: SnapshotOutcome | null;
  }): Promise<void>;
}
