import { formatCount } from '../restore/format.ts';
import type { RestoreReport, TableReport } from '../verify/table-report.ts';
import { errorLines } from './summary.ts';

const words = {
  equal: 'Equal',
  different: 'Different',
  incomplete: 'Not everything could be compared',
} as const;

/** What a verification found, for people: each table, then the verdict. */
export function verifyLines({ restoreId, tables, verdict }: RestoreReport): string[] {
  return [...tables.flatMap(tableLines), `${words[verdict]}: restore ${restoreId}`];
}

function tableLines(report: TableReport): string[] {
  const { target, key, archives, error, unverified, differences, notices, timestamps } = report;
  if (error !== null) return [`${target}:`, ...indent(errorLines(error))];
  const by = key === null ? 'as whole rows, for want of a key' : `by ${key.join(', ')}`;
  const off = report.differing + report.missing;
  return [
    `${target}:`,
    `  Archives: ${formatCount(archives.compared)} of ${formatCount(archives.total)} compared, ${by}`,
    `  Rows: ${formatCount(report.rows)}`,
    `  Equal: ${formatCount(report.equal)}`,
    `  Superseded: ${formatCount(report.superseded)}`,
    `  Differing: ${formatCount(report.differing)}`,
    `  Missing: ${formatCount(report.missing)}`,
    ...(report.rejected === 0
      ? []
      : [`  Rejected: ${formatCount(report.rejected)}, which were left out (\`thaw rejects list\`)`]),
    ...(timestamps === null ? [] : timeLines(timestamps)),
    ...differences.map(({ archive, line, kind }) => `  ${kind}: ${archive} line ${line}`),
    ...(off > differences.length ? [`  ... and ${formatCount(off - differences.length)} more`] : []),
    ...unverified.flatMap((fault) => indent([`Not compared: ${fault.archive}`, ...errorLines(fault)])),
    ...notices.map((notice) => `  Note: ${notice}`),
  ];
}

function timeLines({ column, archives, table }: NonNullable<TableReport['timestamps']>): string[] {
  const text = ({ min, max }: typeof archives) => (min === null ? 'none' : `${min} to ${max}`);
  return [`  ${column} in the archives: ${text(archives)}`, `  ${column} in the table: ${text(table)}`];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
