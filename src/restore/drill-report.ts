import type { DrillObjectives, DrillReport, DrillScope, Objective } from '../contract/drill.ts';
import type { DumpReport } from '../contract/dump-activities.ts';
import type { ErrorCode } from '../contract/error-code.ts';
import type { TableError } from '../contract/outcome.ts';
import { isAboutDump } from './dump-faults.ts';

/** What the restore of a drill brought, from a dump or from archives. */
export interface Rehearsed {
  /** Of a dump. */
  readonly report: DumpReport | null;
  readonly rows: number;
  /** The dump by its key, or the newest archive; null where none was found. */
  readonly backup: string | null;
  /** When that was taken, ISO 8601. */
  readonly takenAt: string | null;
  readonly error: TableError | null;
  readonly leftBehind: readonly string[];
  readonly notices: readonly string[];
  /** All of it was looked at. */
  readonly isWhole: boolean;
}

/** How a drill went, as its workflow knows it. */
export interface DrillStanding {
  readonly startedAt: Date;
  /** Null where the restore came to no end. */
  readonly restored: Rehearsed | null;
  /** Milliseconds since the epoch; null unless the restore ended well. */
  readonly verifiedAt: number | null;
  readonly error: TableError | null;
  readonly leftBehind: readonly string[];
  readonly notices: readonly string[];
  readonly webhook: DrillReport['webhook'];
}

const nothingRestored = { backup: null, takenAt: null, rows: 0, report: null, isWhole: false };

/** The report of a drill. */
export function drillReport(
  { drillId, request: { subject, objectives } }: DrillScope,
  { startedAt, restored, verifiedAt, error, leftBehind, notices, webhook }: DrillStanding,
  endedAt: string,
): DrillReport {
  const { backup, takenAt, rows, report, isWhole } = restored ?? nothingRestored;
  const started = startedAt.getTime();
  const outcome = error !== null ? outcomeOfError(error) : isWhole ? 'verified' : 'inconclusive';
  const rtoSeconds = outcome === 'verified' && verifiedAt !== null ? (verifiedAt - started) / 1000 : null;
  const rpoSeconds = takenAt === null ? null : Math.max((started - Date.parse(takenAt)) / 1000, 0);
  return {
    ...{ drillId, subject, outcome, startedAt: startedAt.toISOString(), endedAt },
    ...{ backup, takenAt, rtoSeconds, rpoSeconds, objectives },
    missed: missedObjectives(objectives, rtoSeconds, rpoSeconds),
    ...{ rows, report, error, leftBehind, notices: [...new Set(notices)], webhook },
  };
}

/** What is told of a drill by webhook; null where all is well. */
export function eventOf({ outcome, missed }: Pick<DrillReport, 'outcome' | 'missed'>): string | null {
  if (outcome !== 'verified') return `drill.${outcome}`;
  return missed.length > 0 ? 'drill.objective_missed' : null;
}

/** What says that a backup was not restored because of what it is. */
const aboutBackup: ReadonlySet<ErrorCode> = new Set([
  'VerificationFailed',
  'InputInvalid',
  'MetadataInvalid',
  'RowRejected',
  'ConflictFound',
  'SchemaIncompatible',
]);

/**
 * What an error makes of a drill: `failed` where it tells of the backup, `inconclusive` where the drill itself could
 * not be done.
 */
function outcomeOfError({ code }: TableError): 'failed' | 'inconclusive' {
  return isAboutDump(code) || aboutBackup.has(code) ? 'failed' : 'inconclusive';
}

/** The objectives that were not met; what was not measured misses none. */
function missedObjectives(
  objectives: DrillObjectives,
  rtoSeconds: number | null,
  rpoSeconds: number | null,
): Objective[] {
  const exceeds = (measured: number | null, objective: number | null) =>
    measured !== null && objective !== null && measured > objective;
  return [
    ...(exceeds(rtoSeconds, objectives.rtoSeconds) ? (['rto'] as const) : []),
    ...(exceeds(rpoSeconds, objectives.rpoSeconds) ? (['rpo'] as const) : []),
  ];
}
