import type { DumpReport } from './dump-activities.ts';
import type { DumpRequest } from './dump-request.ts';
import type { TableError } from './outcome.ts';
import type { RestoreProgress } from './progress.ts';
import type { RestoreRequest } from './restore-request.ts';

/** How long a restore may take, and how old what it restores may be, in seconds; null: no matter. */
export interface DrillObjectives {
  /** Recovery time: from the start to a verified database. */
  readonly rtoSeconds: number | null;
  /** Recovery point: age of the dump, or of the newest archive, at the start. */
  readonly rpoSeconds: number | null;
}

/**
 * What is restored. Ids and targets are those of the drill: what stands for them here is not looked at, so that a
 * schedule can begin the same one again and again.
 */
export type DrillSource =
  | { readonly kind: 'dump'; readonly request: DumpRequest }
  | { readonly kind: 'archives'; readonly request: RestoreRequest };

/** A rehearsal of a restore: into a scratch database or schema, which is dropped at its end. */
export interface DrillRequest {
  /** Names the drill; empty in a schedule, where each run is named by its time. */
  readonly restoreId: string;
  /** What is rehearsed, by which history is looked up: the service, or `database/schema.table`. */
  readonly subject: string;
  readonly source: DrillSource;
  readonly objectives: DrillObjectives;
}

export type Objective = 'rto' | 'rpo';

/** The end of a drill, as it is kept in `thaw.drills` and sent to the webhook. */
export interface DrillReport {
  readonly drillId: string;
  readonly subject: string;
  /** `inconclusive`: the drill itself could not be done, or not everything could be looked at. */
  readonly outcome: 'verified' | 'failed' | 'inconclusive';
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly endedAt: string;
  /** The dump by its key, or the newest archive; null where none was found. */
  readonly backup: string | null;
  /** When it was taken, ISO 8601. */
  readonly takenAt: string | null;
  /** Null unless it was verified. */
  readonly rtoSeconds: number | null;
  readonly rpoSeconds: number | null;
  readonly objectives: DrillObjectives;
  /** Objectives that were not met. */
  readonly missed: readonly Objective[];
  /** Rows that were restored. */
  readonly rows: number;
  /** Of a dump. */
  readonly report: DumpReport | null;
  readonly error: TableError | null;
  /** The scratch database or schema, where it could not be dropped. */
  readonly leftBehind: readonly string[];
  readonly notices: readonly string[];
  /** Null where none is configured, or nothing had to be told. */
  readonly webhook: 'sent' | 'failed' | null;
}

/** What a worker says before a drill begins. */
export interface DrillPlan {
  /** Name of the database or schema to restore into. */
  readonly scratch: string;
  /** When the newest archive was written, ISO 8601, and its key; null for dumps, and where there is none. */
  readonly newest: { readonly key: string; readonly takenAt: string } | null;
  readonly notices: readonly string[];
}

/** Progress of a drill: that of the restore that it is about, and which one that is. */
export interface DrillProgress extends RestoreProgress {
  /** Workflow id of the restore; null until it has begun. */
  readonly restoring: string | null;
  /** Null until it has ended; a cancelled workflow has no result. */
  readonly outcome: DrillReport | null;
}

/** What the activities of a drill work with. */
export interface DrillScope {
  readonly drillId: string;
  readonly request: DrillRequest;
}

/** The activities of drills, by the names that the UI shows. Each file of activities/ implements one. */
export interface DrillActivities {
  /** Compares the request with the worker's own configuration, names the scratch place, and makes a schema. */
  planDrill(scope: DrillScope): Promise<DrillPlan>;
  /** Drops the scratch place; nothing there is as good. */
  dropScratch(scope: DrillScope): Promise<void>;
  /** Keeps the report in `thaw.drills`; tells where it may not. */
  recordDrill(input: DrillScope & { readonly report: DrillReport }): Promise<readonly string[]>;
  /** Tells the webhook; false where none is configured. */
  notifyDrill(input: { readonly event: string; readonly report: DrillReport }): Promise<boolean>;
}
