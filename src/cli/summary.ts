import type { RestoreOutcome, TableError } from '../contract/outcome.ts';
import { maxFailuresKept } from '../contract/outcome.ts';
import { formatCount, formatCounted } from '../restore/format.ts';
import { rowsRestored } from '../restore/tally.ts';

/**
 * What a restore did, line by line: what the user should know, each failure, what was restored earlier, and at
 * the end the six lines of the documented summary.
 */
export function summaryLines(outcome: RestoreOutcome): string[] {
  return [
    ...noticeLines(outcome),
    ...failureLines(outcome),
    ...earlierLines(outcome),
    ...blockLines(outcome),
  ];
}

/** An error as commands print it: `code: message`, then what to do next. */
export function errorLines({ code, message, hint }: TableError): string[] {
  return [`${code}: ${message}`, `hint: ${hint}`];
}

function noticeLines({ tables }: RestoreOutcome): string[] {
  return tables.flatMap(({ target, notices }) => notices.map((notice) => `Note: ${target}: ${notice}`));
}

function failureLines(outcome: RestoreOutcome): string[] {
  const lines = outcome.tables.flatMap(({ target, failures, error, tally }) => [
    ...failures.flatMap((failure) => [`Failed: ${failure.archive}`, ...indented(errorLines(failure))]),
    ...moreLines(tally.archives.failed - failures.length, outcome.restoreId),
    ...(error === null ? [] : [`Failed: table ${target}`, ...indented(errorLines(error))]),
  ]);
  return outcome.error === null ? lines : [...lines, ...errorLines(outcome.error)];
}

function moreLines(more: number, restoreId: string): string[] {
  if (more <= 0) return [];
  return [
    `... and ${formatCount(more)} more failed archives; results tell the first ${maxFailuresKept} of a table, ` +
      `thaw.archives in the target database has all of ${restoreId}`,
  ];
}

function earlierLines({ tally }: RestoreOutcome): string[] {
  const { earlier } = tally.archives;
  return earlier === 0 ? [] : [`Restored earlier: ${formatCounted(earlier, 'archive')}, not loaded again`];
}

/** The documented lines. Files are counted without separators there, and records with. */
function blockLines({ tally }: RestoreOutcome): string[] {
  const { archives, rows } = tally;
  return [
    'Restore Summary:',
    `  Files processed: ${archives.restored + archives.failed}`,
    `  Files failed: ${archives.failed}`,
    `  Records restored: ${formatCount(rowsRestored(rows))}`,
    `  Records skipped: ${formatCount(rows.skipped)}`,
    `  Records failed: ${formatCount(rows.failed)}`,
  ];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
