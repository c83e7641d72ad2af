import type { DatabaseFacts, DumpReport, TableRows } from '../../contract/dump-activities.ts';
import { columns } from '../../restore/columns.ts';
import { formatBytes, formatCount, formatCounted } from '../../restore/format.ts';
import { isUnproved } from './check-checksum.ts';

const verdicts = {
  verified: 'Verified',
  failed: 'Failed',
  inconclusive: 'Nothing failed, but not everything could be compared',
} as const;

const marks = { passed: 'ok', failed: 'FAILED', skipped: 'skipped', warning: 'warning' } as const;

/** What a verification found, for people: the database before and after, rows by table, checks, the verdict. */
export function reportLines(report: DumpReport): string[] {
  const { checks, tables, before, after } = report;
  const more = after.tables - tables.filter((rows) => rows.after !== null).length;
  return [
    ...(before === null ? [] : [`Before: ${factsText(before)}`]),
    `After: ${factsText(after)}`,
    ...(tables.length === 0 ? [] : tableLines(tables)),
    ...(more > 0 ? [`  ... and ${formatCount(more)} more`] : []),
    'Checks:',
    ...indented(columns(checks.map((check) => [marks[check.outcome], check.name, check.detail]))),
    `${verdictOf(report)}: database ${after.database}`,
  ];
}

/** Nothing is called verified whose bytes may be others than were dumped. */
function verdictOf(report: DumpReport): string {
  const { outcome } = report;
  if (outcome !== 'verified' || !isUnproved(report)) return verdicts[outcome];
  return 'As the dump has it, which is not proved by a checksum';
}

function factsText({ serverVersion, bytes, tables, rows, estimated }: DatabaseFacts): string {
  const counted = estimated === 0 ? '' : `, ${formatCount(estimated)} of them not counted`;
  return `PostgreSQL ${serverVersion}, ${formatBytes(bytes)}, ${formatCounted(rows, 'row')} in ${formatCounted(tables, 'table')}${counted}`;
}

function tableLines(tables: readonly TableRows[]): string[] {
  const rows = tables.map(({ table, before, beforeIsEstimate, dump, after }) => [
    table,
    `${beforeIsEstimate ? '~' : ''}${cell(before)}`,
    cell(dump),
    cell(after),
    dump !== null && after !== dump ? '<- differs from the dump' : '',
  ]);
  return indented(columns([['Table', 'Before', 'Dump', 'After', ''], ...rows], new Set([1, 2, 3])));
}

function cell(rows: number | null): string {
  return rows === null ? '-' : formatCount(rows);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
