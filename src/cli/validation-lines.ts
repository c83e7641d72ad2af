import { formatBytes, formatCount } from '../restore/format.ts';
import type { ValidationLevel } from '../validate/level.ts';
import type { Report } from '../validate/report.ts';
import type { ArchiveVerdict } from '../validate/verdict.ts';
import { errorLines } from './summary.ts';

/** Warnings that are shown. */
const shownWarnings = 20;

/** What a validation of many archives found, for people: each fault, warnings, then the counts. */
export function reportLines(report: Report, level: ValidationLevel): string[] {
  const json = report.toJson();
  return [
    ...report.invalid.flatMap(faultLines),
    ...report.orphans.flatMap((key) => [`Orphaned: ${key}`, '  its archive is not there']),
    ...warningLines(report.warnings.first, report.warnings.count),
    'Validation Summary:',
    `  Level: ${level}`,
    `  Archives: ${formatCount(json.total_archives)}, ${formatBytes(report.bytes)}`,
    ...(level === 'listed' || level === 'metadata' ? [] : [`  Records: ${formatCount(report.records)}`]),
    `  Valid: ${formatCount(json.valid_archives)}`,
    `  Invalid: ${formatCount(json.invalid_archives)}`,
    `  Orphaned files: ${formatCount(json.orphaned_files.length)}`,
    `  Missing metadata: ${formatCount(json.missing_metadata.length)}`,
    `  Checksum failures: ${formatCount(json.checksum_failures.length)}`,
    `  Record count mismatches: ${formatCount(json.record_count_mismatches.length)}`,
    json.is_valid ? 'Valid' : 'Invalid',
  ];
}

/** What a validation of one archive found, for people. */
export function archiveReportLines(verdict: ArchiveVerdict, level: ValidationLevel): string[] {
  const records = verdict.records === null ? '' : `, ${formatCount(verdict.records)} records`;
  return [
    ...(verdict.faults.length === 0 ? [] : faultLines(verdict)),
    ...warningLines(verdict.warnings, verdict.warnings.length),
    `${verdict.faults.length === 0 ? 'Valid' : 'Invalid'}: ${verdict.key} (${level}, ${formatBytes(verdict.bytes)}${records})`,
  ];
}

function faultLines({ key, faults }: ArchiveVerdict): string[] {
  return [`Invalid: ${key}`, ...faults.flatMap((fault) => errorLines(fault).map((line) => `  ${line}`))];
}

function warningLines(warnings: readonly string[], count: number): string[] {
  const shown = warnings.slice(0, shownWarnings).map((warning) => `Note: ${warning}`);
  return count > shown.length ? [...shown, `... and ${formatCount(count - shown.length)} more notes`] : shown;
}
