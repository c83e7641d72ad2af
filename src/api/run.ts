import type { DrillReport } from '../contract/drill.ts';
import type { DumpOutcome, DumpStep } from '../contract/dump-activities.ts';
import { isErrorCode } from '../contract/error-code.ts';
import type { ArchiveFailure, RestoreOutcome, TableError, TableOutcome, Tally } from '../contract/outcome.ts';
import type { Extent, RestoreProgress, RestoreState, TableProgress } from '../contract/progress.ts';
import { isEnded } from '../contract/progress.ts';
import type { RunRequest } from '../contract/run-request.ts';
import type { SnapshotTableResult } from '../contract/snapshot.ts';
import type { SnapshotProgress, SnapshotRestoreStep } from '../contract/snapshot-restore.ts';
import type { SystemOutcome, SystemProgress } from '../contract/system-activities.ts';
import type { TakenObjects, UndoneTable } from '../contract/undo-request.ts';
import type { StoredRun } from '../control/runs.ts';
import { archivesDone, emptyTally, isIncomplete } from '../restore/tally.ts';

/** One restore as the API tells of it, whatever told the API: its workflow, its result, or the target database. */
export interface Run {
  readonly id: string;
  /** Null until a worker has begun. */
  readonly database: string | null;
  readonly state: RestoreState;
  /** Why it is paused or cancelled. */
  readonly reason: string | null;
  readonly createdAt: Date;
  /** Null until a worker has begun. */
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly archives: Extent;
  readonly bytes: Extent;
  readonly tally: Tally;
  readonly rowsPerSecond: number | null;
  readonly etaSeconds: number | null;
  /** The first failures; the tally counts them all. */
  readonly failures: readonly ArchiveFailure[];
  readonly tables: readonly RunTable[];
  /** Why the restore as a whole, or a table of it, failed; null when only archives did, or nothing. */
  readonly error: TableError | null;
  /** Null of anything but a restore of a dump, and where nothing is known of it yet. */
  readonly dump: RunDump | null;
  /** Of a drill that has ended. */
  readonly drill: DrillReport | null;
  readonly system: RunSystem | null;
  /** Of a restore of a snapshot. */
  readonly snapshot: RunSnapshot | null;
  /** Of a run that takes another one back. */
  readonly undo: RunUndo | null;
}

/** What a restore of a snapshot tells besides. */
export interface RunSnapshot
  extends Pick<
    SnapshotProgress,
    'source' | 'strategy' | 'steps' | 'keys' | 'locks' | 'preSnapshotId' | 'notices'
  > {
  /** Null of one that has ended. */
  readonly step: SnapshotRestoreStep | null;
  /** What was committed. */
  readonly tables: readonly SnapshotTableResult[];
}

/** What an undo tells besides. */
export interface RunUndo {
  /** The run that is taken back. */
  readonly undoes: string;
  /** `total`: rows that the restore had changed; null once it has ended. */
  readonly tables: readonly (UndoneTable & { readonly total: number | null })[];
  /** Null before the end, and of a restore that has made nothing. */
  readonly made: TakenObjects | null;
}

/** What a restore of a system tells besides. */
export interface RunSystem
  extends Pick<SystemOutcome, 'steps' | 'databases' | 'downtimeSeconds' | 'notices'>,
    Pick<SystemProgress, 'waiting'> {
  readonly name: string;
}

/** What a restore of a dump tells besides. */
export interface RunDump
  extends Pick<
    DumpOutcome,
    'service' | 'mode' | 'passedOver' | 'proof' | 'report' | 'old' | 'leftBehind' | 'notices'
  > {
  /** Null of one that has ended. */
  readonly step: DumpStep | null;
  /** Of a dry run: what would be done, a line each. */
  readonly wouldDo: readonly string[] | null;
  /** The dump that is restored, or was to be. */
  readonly key: string | null;
}

/** A run as far as its record tells. */
export function runOfStored(stored: StoredRun): Run {
  const { counts, request, progressDetail } = stored;
  const database = databaseOf(request);
  const done = wholeOf(progressDetail.files_completed) ?? 0;
  const rows = {
    inserted: counts.recordsImported,
    updated: counts.recordsUpdated,
    skipped: counts.recordsSkipped,
    failed: counts.recordsFailed,
  };
  return {
    ...bareRun(
      stored.id,
      stored.state,
      { createdAt: stored.createdAt, endedAt: stored.completedAt },
      storedError(stored),
    ),
    database,
    startedAt: stored.startedAt,
    archives: { done, total: wholeOf(progressDetail.files_total) },
    tally: { ...emptyTally, rows },
  };
}

function databaseOf(request: RunRequest): string {
  switch (request.sourceType) {
    case 'archives':
      return request.archives.database;
    case 'dump':
      return request.dump.database;
    case 'drill':
      return request.drill.subject;
    case 'system':
      return request.system.system;
    case 'snapshot':
      return request.snapshot.database;
    case 'undo':
      return request.undo.database;
    default:
      return request.bundle.database;
  }
}

function wholeOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** `error_detail` begins with the code, where there is one. */
function storedError({ error, errorDetail }: StoredRun): TableError | null {
  if (error === null) return null;
  const code = /^\w+/.exec(errorDetail ?? '')?.[0];
  return {
    code: isErrorCode(code) ? code : 'InputInvalid',
    message: error,
    hint: 'The log of the run tells more: GET /api/data/restore_logs.',
  };
}

/** One table of a {@link Run}. */
export interface RunTable {
  /** `schema.table` of the target. */
  readonly target: string;
  readonly state: RestoreState;
  readonly archives: Extent;
  readonly bytes: Extent;
  readonly tally: Tally;
  /** Archives or packs being loaded. */
  readonly inFlight: readonly string[];
  readonly notices: readonly string[];
  readonly error: TableError | null;
}

/** When a run was asked for and when it ended. */
export interface RunTimes {
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** A run of which no more is known than that it is there. */
export function bareRun(id: string, state: RestoreState, times: RunTimes, error: TableError | null): Run {
  return {
    id,
    database: null,
    state,
    reason: null,
    createdAt: times.createdAt,
    startedAt: null,
    endedAt: times.endedAt,
    archives: unknown,
    bytes: unknown,
    tally: emptyTally,
    rowsPerSecond: null,
    etaSeconds: null,
    failures: [],
    tables: [],
    error,
    dump: null,
    drill: null,
    system: null,
    snapshot: null,
    undo: null,
  };
}

const unknown: Extent = { done: 0, total: null };

/** A run as its workflow answers. */
export function runOfProgress(progress: RestoreProgress, times: RunTimes): Run {
  const { restoreId, startedAt, tables, ...rest } = progress;
  return {
    ...rest,
    id: restoreId,
    createdAt: times.createdAt,
    startedAt: new Date(startedAt),
    endedAt: times.endedAt,
    tables: tables.map(tableOfProgress),
    error: null,
    dump: null,
    drill: null,
    system: null,
    snapshot: null,
    undo: null,
  };
}

/** A run that has ended, by its outcome. */
export function runOfOutcome(outcome: RestoreOutcome, times: RunTimes): Run {
  const { restoreId, database, state, tally, seconds } = outcome;
  const tables = outcome.tables.map((table) => tableOfOutcome(table, state));
  const { inserted, updated, skipped } = tally.rows;
  return {
    id: restoreId,
    database,
    state,
    reason: null,
    createdAt: times.createdAt,
    startedAt: startOf(seconds, times),
    endedAt: times.endedAt,
    archives: { done: archivesDone(tally), total: sumOfTotals(tables.map((table) => table.archives)) },
    bytes: { done: tally.bytes, total: sumOfTotals(tables.map((table) => table.bytes)) },
    tally,
    rowsPerSecond: seconds > 0 ? (inserted + updated + skipped) / seconds : null,
    etaSeconds: null,
    failures: outcome.tables.flatMap((table) => table.failures).slice(0, failuresShown),
    tables,
    error: outcome.error ?? tables.find((table) => table.error !== null)?.error ?? null,
    dump: null,
    drill: null,
    system: null,
    snapshot: null,
    undo: null,
  };
}

const failuresShown = 20;

function tableOfProgress(table: TableProgress): RunTable {
  const { target, state, archives, bytes, tally, inFlight } = table;
  return { target, state, archives, bytes, tally, inFlight, notices: [], error: null };
}

function tableOfOutcome(table: TableOutcome, restore: RestoreOutcome['state']): RunTable {
  const { target, tally, notices, error } = table;
  const state = restore === 'cancelled' ? 'cancelled' : tableState(table);
  // Only of a table that was gone through it is known how much there was.
  const whole = state === 'completed' || state === 'completed_with_failures';
  const archives = archivesDone(tally);
  return {
    target,
    state,
    archives: { done: archives, total: whole ? archives : null },
    bytes: { done: tally.bytes, total: whole ? tally.bytes : null },
    tally,
    inFlight: [],
    notices,
    error,
  };
}

function tableState(table: TableOutcome): RestoreState {
  if (table.error !== null) return 'failed';
  return isIncomplete(table.tally) ? 'completed_with_failures' : 'completed';
}

function sumOfTotals(extents: readonly Extent[]): number | null {
  return extents.reduce<number | null>(
    (sum, { total }) => (sum === null || total === null ? null : sum + total),
    0,
  );
}

/** The outcome tells how long it took, Temporal or the database when it ended. */
function startOf(seconds: number, { createdAt, endedAt }: RunTimes): Date {
  return endedAt === null ? createdAt : new Date(endedAt.getTime() - seconds * 1000);
}

/** Whole percents done, by bytes: 100 only for a run that was gone through. */
export function percentDone(run: Run): number {
  if (run.state === 'completed' || run.state === 'completed_with_failures') return 100;
  const { done, total } = extentOf(run);
  const share = total === null || total === 0 ? 0 : Math.min(done / total, 1);
  if (run.dump === null) return Math.min(Math.floor(share * 100), 99);
  // A dump is read twice: to 25 percent it is proved, from there to 99 it is loaded.
  const { from, to } = percentsOf(run.dump.step);
  return from + Math.floor(share * (to - from));
}

/**
 * Of a system its databases count, as how large they are together is not known before; of an undo its rows; of a
 * snapshot how far its tables are.
 */
function extentOf({ system, undo, snapshot, archives, bytes }: Run): Extent {
  if (snapshot !== null) {
    const done = snapshot.steps.reduce((sum, { progress_pct }) => sum + progress_pct, 0);
    return { done, total: snapshot.steps.length * 100 };
  }
  if (undo !== null) {
    const done = undo.tables.map(({ deleted, broughtBack, gone }) => deleted + broughtBack + gone);
    const totals = undo.tables.map(({ total }) => ({ done: 0, total }));
    return { done: done.reduce((sum, rows) => sum + rows, 0), total: sumOfTotals(totals) };
  }
  return system === null ? bytes : archives;
}

function percentsOf(step: DumpStep | null): { readonly from: number; readonly to: number } {
  switch (step) {
    case null:
    case 'choose':
      return { from: 0, to: 0 };
    case 'prove':
      return { from: 0, to: 24 };
    case 'survey':
      return { from: 25, to: 25 };
    case 'load':
      return { from: 25, to: 98 };
    default:
      return { from: 99, to: 99 };
  }
}

/** What went wrong, in a sentence; null when nothing did. */
export function failureOf(run: Run): string | null {
  if (run.error !== null) return run.error.message;
  const { failed } = run.tally.archives;
  if (failed === 0 || !isEnded(run.state)) return null;
  const of = run.archives.total === null ? '' : ` of ${run.archives.total}`;
  const first = run.failures[0];
  const example = first === undefined ? '' : ` The first: ${first.archive}: ${first.message}`;
  return `${failed}${of} archives could not be restored.${example}`;
}
