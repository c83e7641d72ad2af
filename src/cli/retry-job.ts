import type { RestoreOptions } from '../contract/restore-request.ts';
import { type RetriedTableReport, retryRejects } from '../rejects/retry-rejects.ts';
import { formatCount } from '../restore/format.ts';
import { openStore } from '../store/open-store.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findRestore, type RestoreSearch } from './find-restore.ts';
import { Interrupt } from './interrupt.ts';
import { errorLines } from './summary.ts';

/** One `thaw rejects retry`. */
export interface RetryJob extends RestoreSearch {
  /** Null: all. */
  readonly tables: readonly string[] | null;
  /** What is done otherwise than in the restore. */
  readonly changes: Partial<RestoreOptions>;
  readonly json: boolean;
}

/**
 * Loads the rows that a restore left out once more, and prints what came of it.
 *
 * @throws ThawError where it could not begin
 */
export async function runRetry(job: RetryJob): Promise<ExitCode> {
  const { config, env, printer, tables, changes, json } = job;
  const restore = await findRestore(job);
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const store = openStore(config.store, env);
  try {
    const reports = await retryRejects({ config, env, store, restore, tables, changes, signal });
    const { restoreId, database } = restore.request;
    if (json) printer.line(JSON.stringify({ restoreId, database, tables: reports }));
    else for (const line of retryLines(reports)) printer.line(line);
    return exitCodeOf(reports);
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted: what went in stays. Give the same command again to go on.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
    store.close();
  }
}

function exitCodeOf(reports: readonly RetriedTableReport[]): ExitCode {
  const failed = reports.filter(({ error }) => error !== null).length;
  const wentIn = reports.some(({ rows, remaining }) => remaining < rows);
  if (failed > 0 && !wentIn) return exitCodes.failed;
  return failed > 0 || reports.some(({ remaining }) => remaining > 0) ? exitCodes.partial : exitCodes.done;
}

/** What a retry did, for people. */
export function retryLines(reports: readonly RetriedTableReport[]): string[] {
  const told = reports.filter(({ rows, error }) => rows > 0 || error !== null);
  return told.length === 0 ? ['No rejected rows are kept.'] : told.flatMap(tableLines);
}

function tableLines(report: RetriedTableReport): string[] {
  const { target, error, rows, inserted, updated, skipped, remaining, failures, notices } = report;
  if (error !== null) return [`${target}:`, ...indent(errorLines(error))];
  return [
    `${target}:`,
    `  Rows retried: ${formatCount(rows)}`,
    `  Restored: ${formatCount(inserted + updated)}`,
    `  Skipped: ${formatCount(skipped)}`,
    `  Still rejected: ${formatCount(remaining)}`,
    ...failures.flatMap((failure) => indent([`Not loaded: ${failure.archive}`, ...errorLines(failure)])),
    ...notices.map((notice) => `  Note: ${notice}`),
  ];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
