import type { DrillObjectives, DrillReport, Objective } from '../contract/drill.ts';
import type { ErrorCode } from '../contract/error-code.ts';
import type { TableError } from '../contract/outcome.ts';
import { isAboutDump } from './dump-faults.ts';

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
export function outcomeOfError({ code }: TableError): 'failed' | 'inconclusive' {
  return isAboutDump(code) || aboutBackup.has(code) ? 'failed' : 'inconclusive';
}

/** The objectives that were not met; what was not measured misses none. */
export function missedObjectives(
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

/** What is told of a drill by webhook; null where all is well. */
export function eventOf({ outcome, missed }: Pick<DrillReport, 'outcome' | 'missed'>): string | null {
  if (outcome !== 'verified') return `drill.${outcome}`;
  return missed.length > 0 ? 'drill.objective_missed' : null;
}
