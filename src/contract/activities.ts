import type { AuditEvent } from './audit-event.ts';
import type { BackupActivities } from './backup-request.ts';
import type { BundleActivities } from './bundle-activities.ts';
import type { DrillActivities } from './drill.ts';
import type { DumpActivities } from './dump-activities.ts';
import type { ExtractActivities } from './extract-request.ts';
import type { ArchiveFailure, ColumnNote, RestoreOutcome, Tally } from './outcome.ts';
import type { PitrActivities } from './pitr.ts';
import type { RestoreState } from './progress.ts';
import type { RestoreOptions, RestoreRequest, TableRequest } from './restore-request.ts';
import type { SnapshotActivities } from './snapshot.ts';
import type { SnapshotRestoreActivities } from './snapshot-restore.ts';
import type { SystemActivities } from './system-activities.ts';
import type { UndoActivities } from './undo-request.ts';
import type { WatermarkPosition, WatermarkUpdates } from './watermark.ts';

/** What the activities of one table need to find their place: names only. */
export interface TableScope {
  readonly restoreId: string;
  readonly fingerprint: string;
  readonly database: string;
  readonly table: TableRequest;
}

/** The tables of a restore and which of them must come first. */
export interface RestorePlan {
  /** Whether the search attributes are registered: setting one that is not makes workflow tasks fail for ever. */
  readonly searchAttributes: boolean;
  readonly tables: readonly PlannedTable[];
}

/** A table with the places (in the plan) of those that its foreign keys point at. */
export interface PlannedTable {
  readonly table: TableRequest;
  readonly parents: readonly number[];
}

/** A target that was taken: every load proves with it that it still holds the table. */
export interface HeldTarget {
  /** `pg_class.oid` of the table, of the root for a partition. */
  readonly oid: number;
  /** Raised each time the target is taken; a load with an older one commits nothing. */
  readonly epoch: number;
  /** Whether commits must come in archive order: false only for a table without any key. */
  readonly ordered: boolean;
}

/** An archive as the workflows carry it. */
export interface ArchiveRef {
  /** Key relative to the folder of its table; behind a slash the whole key (`archiveName`). */
  readonly name: string;
  /** Compressed size. */
  readonly bytes: number;
  /** Entity tag when it was listed, empty where it was asked for and is not there; another one when it is read is `ArchiveChanged`. */
  readonly etag: string;
  /** Where its metadata lies: `….metadata.json` in place of the extension, behind it, or nowhere. */
  readonly metadata: 'sibling' | 'suffixed' | 'none';
}

/** Asks for the next archives of a table. */
export interface ListArchivesInput {
  readonly scope: TableScope;
  /** Known once the table was prepared: what was restored earlier is left out. */
  readonly target: HeldTarget;
  readonly options: RestoreOptions;
  /** Exactly these archives; null: all. */
  readonly keys: readonly string[] | null;
  /** Where the page before ended; null at the start. */
  readonly cursor: string | null;
  /** Archives in a page; it may be more, as a page ends only where the second of archiving changes. */
  readonly pageSize: number;
}

/** Some archives of a table, in archive order. */
export interface ArchivePage {
  /** The folder that their names are relative to, ending in `/`. */
  readonly folder: string;
  readonly archives: readonly ArchiveRef[];
  /** Left out, as the ledger has them as restored earlier. */
  readonly earlier: { readonly archives: number; readonly bytes: number };
  /** Pass it on as `cursor`; null at the end. */
  readonly next: string | null;
}

/** Asks to read the next archives of a table, which nobody holds yet, to their ends. */
export type VerifyArchivesInput = Omit<ListArchivesInput, 'target'>;

/** What reading a page of archives to their ends has found. */
export interface VerifiedArchives {
  readonly archives: number;
  readonly failed: number;
  /** At most `maxFailuresKept` of them, in archive order. */
  readonly failures: readonly ArchiveFailure[];
  /** Pass it on as `cursor`; null at the end. */
  readonly next: string | null;
}

/** How much there is to list. */
export interface ArchiveExtent {
  readonly archives: number;
  readonly bytes: number;
}

/** One archive or pack to load. */
export interface LoadInput {
  readonly scope: TableScope;
  readonly target: HeldTarget;
  readonly options: RestoreOptions;
  readonly folder: string;
  readonly archives: readonly ArchiveRef[];
  /** They were asked for by their keys. */
  readonly named: boolean;
  /** Place of the first archive in archive order; the others follow it without a gap. */
  readonly firstOrdinal: number;
  /** Names the load in the UI, in `application_name` and in the ledger. */
  readonly what: string;
}

/** What became of the archives of a load. */
export interface LoadOutcome {
  readonly tally: Tally;
  /** At most {@link maxFailuresKept}; the tally counts them all. */
  readonly failures: readonly ArchiveFailure[];
  /** Neither in the tally nor in the failures: what a later try may restore. */
  readonly deferred: readonly DeferredArchive[];
  /** Columns whose values did not all come back as they were. */
  readonly columnNotes: readonly ColumnNote[];
}

/** What a restore has committed of a table. */
export interface CommittedTally {
  /** Archives that were restored earlier are not among them. */
  readonly tally: Tally;
  /** The first ones in archive order, at most {@link maxFailuresKept}. */
  readonly failures: readonly ArchiveFailure[];
}

/** An archive that broke a foreign key of the table to itself; it may succeed once the others are in. */
export interface DeferredArchive {
  /** Its place in the load. */
  readonly index: number;
  /** What stands in the summary if no later try restores it. */
  readonly failure: ArchiveFailure;
}

/** Takes the target and makes it ready. */
export interface PrepareTableInput {
  readonly scope: TableScope;
  readonly options: RestoreOptions;
  /** Exactly these archives; null: all. */
  readonly keys: readonly string[] | null;
}

/** Compares the schemas of a table's archives with the table. */
export interface MigrateSchemaInput {
  readonly scope: TableScope;
  readonly target: HeldTarget;
  readonly options: RestoreOptions;
  /** Exactly these archives; null: all. */
  readonly keys: readonly string[] | null;
}

/** What came of comparing schemas. */
export interface MigratedSchema {
  /** All archives that are asked for, with those restored earlier. */
  readonly extent: ArchiveExtent;
  /** What becomes of columns that differ. */
  readonly notices: readonly string[];
}

/** A target that is ready, and what the user should know of it. */
export interface PreparedTable {
  readonly target: HeldTarget;
  readonly watermark: WatermarkUpdates;
  readonly notices: readonly string[];
}

/** Asks to write how far a table is restored. */
export interface UpdateWatermarkInput {
  readonly scope: TableScope;
  readonly target: HeldTarget;
  /** What the update before gave. */
  readonly from: WatermarkPosition;
}

/** Ends the work on a target. */
export interface FinishTableInput {
  readonly scope: TableScope;
  readonly target: HeldTarget;
  readonly options: RestoreOptions;
  /** Rows were written: sequences and statistics follow them. */
  readonly changed: boolean;
}

/** What `thaw.restores` keeps of a restore. */
export interface RecordRestoreInput {
  readonly request: RestoreRequest;
  readonly state: RestoreState;
  readonly outcome: RestoreOutcome | null;
}

/** Asks to write an event into the audit trail. */
export interface WriteAuditEventInput {
  readonly scope: TableScope;
  readonly event: AuditEvent;
}

/** Names a workflow, and not a later one that took over its id. */
export interface CancelWorkflowInput {
  readonly workflowId: string;
  readonly firstExecutionRunId: string;
}

/**
 * The activities, by the names that the UI shows. Each file of activities/ implements one.
 * Failures are ApplicationFailures whose type is an error code.
 */
export interface Activities
  extends BackupActivities,
    BundleActivities,
    DrillActivities,
    DumpActivities,
    ExtractActivities,
    PitrActivities,
    SnapshotActivities,
    SnapshotRestoreActivities,
    SystemActivities,
    UndoActivities {
  /** Makes the tables that are not there from their archived schemas, as far as it can; `prepareTable` tells why not. */
  createTables(request: RestoreRequest): Promise<void>;
  /** Checks the request against the worker's own configuration and orders the tables. */
  planRestore(request: RestoreRequest): Promise<RestorePlan>;
  /** Writes the restore's state into the target database. */
  recordRestore(input: RecordRestoreInput): Promise<void>;
  /** Reads the catalog, takes the target, drops indexes when asked. */
  prepareTable(input: PrepareTableInput): Promise<PreparedTable>;
  /**
   * Finds the schemas that archives were written with, refuses the table where its strategy does, and notes them
   * for the loads. Tells what becomes of columns that differ, and how many archives there are.
   */
  migrateSchema(input: MigrateSchemaInput): Promise<MigratedSchema>;
  /** Gives a page of archives with sizes and entity tags. */
  listArchives(input: ListArchivesInput): Promise<ArchivePage>;
  /** Reads a page of archives to their ends before anything is loaded, and tells which are bad. */
  verifyArchives(input: VerifyArchivesInput): Promise<VerifiedArchives>;
  /** Download, decompress, slice, COPY, merge and ledger: one archive or pack, streamed, in one transaction. */
  copyStageMerge(input: LoadInput): Promise<LoadOutcome>;
  /** Adds up by the ledger what was committed, where loads that were broken off cannot tell. */
  tallyLedger(input: { readonly scope: TableScope; readonly target: HeldTarget }): Promise<CommittedTally>;
  /** Keeps a target while the restore is paused. */
  renewLease(input: { readonly scope: TableScope; readonly target: HeldTarget }): Promise<void>;
  /** Writes how far the table is restored without a gap, by the ledger. Gives how far that is. */
  updateWatermark(input: UpdateWatermarkInput): Promise<WatermarkPosition>;
  /** Writes an event into the archiver's audit trail, where the configuration says. */
  writeAuditEvent(input: WriteAuditEventInput): Promise<void>;
  /** Rebuilds indexes, moves sequences, runs ANALYZE, lets the target go. Gives notices. */
  finishTable(input: FinishTableInput): Promise<readonly string[]>;
  /** Asks Temporal to cancel a workflow: how the `cancel` signal comes to be Temporal's own cancel. */
  cancelWorkflow(input: CancelWorkflowInput): Promise<void>;
}
