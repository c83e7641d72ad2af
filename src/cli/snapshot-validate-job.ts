import type { SnapshotValidation } from '../contract/snapshot-validation.ts';
import { formatCounted } from '../restore/format.ts';
import { printable } from '../restore/printable.ts';
import { validateSnapshot } from '../snapshot/validate/validate-snapshot.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { lookAtSnapshot, type SnapshotLookJob } from './snapshot-preview-job.ts';

/** One `thaw snapshot validate`. */
export interface SnapshotValidateJob extends SnapshotLookJob {
  /** It may have been restored before. */
  readonly again: boolean;
  /** Reads no rows. */
  readonly quick: boolean;
  readonly json: boolean;
}

/** Tells whether a snapshot can be restored. @throws ThawError where something cannot be looked at */
export async function printSnapshotValidation(job: SnapshotValidateJob): Promise<ExitCode> {
  const { printer, again, quick, json } = job;
  let exitCode: ExitCode = exitCodes.done;
  const end = await lookAtSnapshot(job, async (look) => {
    const validation = await validateSnapshot({ ...look, again, quick });
    if (json) printer.line(JSON.stringify(validation));
    else for (const line of validationLines(validation)) printer.line(line);
    if (!validation.valid) exitCode = exitCodes.invalid;
  });
  return end === exitCodes.done ? exitCode : end;
}

function validationLines(validation: SnapshotValidation): string[] {
  if ('error' in validation) return [validation.error];
  const { snapshot, issues, notices, complete } = validation;
  const { id, status, created_at: at, affected_tables: tables } = snapshot;
  const how = complete ? '' : ' (no rows were read)';
  return [
    `Snapshot ${printable(id)}: ${status}${at === null ? '' : `, of ${at}`}, ${formatCounted(tables.length, 'table')}`,
    ...issues.map(({ issue }) => `  ✗ ${printable(issue)}`),
    ...notices.map((notice) => `Note: ${printable(notice)}`),
    issues.length === 0 ? `Valid${how}` : `Invalid: ${formatCounted(issues.length, 'issue')}${how}`,
  ];
}
