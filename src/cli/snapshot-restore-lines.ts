import type { ErrorCode } from '../contract/error-code.ts';
import type { SnapshotOutcome } from '../contract/snapshot.ts';
import type { SnapshotProgress } from '../contract/snapshot-restore.ts';
import type { StoredSnapshotRestore } from '../postgres/snapshot-restores.ts';
import { columns } from '../restore/columns.ts';
import { formatCount, formatCounted, formatSeconds } from '../restore/format.ts';
import { tellSource } from '../restore/snapshot-progress.ts';
import { type ExitCode, exitCodes, isAboutSource } from './exit-code.ts';
import { errorLines } from './summary.ts';

/** What a restore of a snapshot did, for people. */
export function snapshotOutcomeLines(outcome: SnapshotOutcome): string[] {
  const { state, tables, notices, error, source, database, preSnapshotId, restoreId, seconds } = outcome;
  const lines = [...notices.map((notice) => `Note: ${notice}`), ...(error === null ? [] : errorLines(error))];
  if (state !== 'completed') {
    const word = state === 'cancelled' ? 'Cancelled' : 'Failed';
    return [...lines, `${word} after ${formatSeconds(seconds)}. ${database} is as it was.`];
  }
  const cells = tables.map(({ schema, table, inserted, updated, deleted, unchanged }) => [
    `${schema}.${table}`,
    ...[inserted, updated, deleted, unchanged].map(formatCount),
  ]);
  return [
    ...columns([['TABLE', 'INSERTED', 'UPDATED', 'DELETED', 'UNCHANGED'], ...cells], new Set([1, 2, 3, 4])),
    ...lines,
    `Restored ${formatCounted(tables.length, 'table')} of ${database} to ${tellSource(source)} in ${formatSeconds(seconds)}.`,
    ...(preSnapshotId === null
      ? []
      : [`What was there is snapshot ${preSnapshotId}; back by: thaw undo ${restoreId}`]),
  ];
}

/** How a restore of a snapshot ended, under its name. */
export function snapshotStatusLines(outcome: SnapshotOutcome): string[] {
  const { restoreId, source, database } = outcome;
  return [`Restore ${restoreId} of ${database} to ${tellSource(source)}`, ...snapshotOutcomeLines(outcome)];
}

/** How a restore of a snapshot goes, table by table, and what it holds. */
export function snapshotProgressLines({ steps, keys, locks, preSnapshotId }: SnapshotProgress): string[] {
  return [
    ...(preSnapshotId === null ? [] : [`  taken before: snapshot ${preSnapshotId}`]),
    ...steps.map(({ table, status, progress_pct, eta_seconds }) => {
      const eta = eta_seconds === null || status === 'completed' ? '' : `, ETA ${formatSeconds(eta_seconds)}`;
      return `  ${table}: ${status}, ${progress_pct} %${eta}`;
    }),
    ...keys.map(
      ({ name, table, hold }) => `  foreign key ${name} of ${table}: ${hold} while rows are merged`,
    ),
    ...locks.map(({ table, lock, why }) => `  lock ${lock} on ${table}: ${why}`),
  ];
}

/** A line for each restore of a snapshot. */
export function snapshotRecordLines(restores: readonly StoredSnapshotRestore[]): string[] {
  return restores.map(({ request, state, startedAt, undoneAt }) => {
    const { restoreId, database, source, strategy } = request;
    const undone = undoneAt === null ? '' : '  undone';
    return `${restoreId}  ${startedAt.slice(0, 19)}Z  ${state.padEnd(23)}  ${database} to ${tellSource(source)} (${strategy})${undone}`;
  });
}

/** How a command ends after a restore of a snapshot that ended so. */
export function snapshotExitCode({ state, error }: Pick<SnapshotOutcome, 'state' | 'error'>): ExitCode {
  if (state === 'completed') return exitCodes.done;
  if (state === 'cancelled') return exitCodes.interrupted;
  return error !== null && isInvalid(error.code) ? exitCodes.invalid : exitCodes.failed;
}

function isInvalid(code: ErrorCode): boolean {
  return isAboutSource(code) || code === 'VerificationFailed' || code === 'RowRejected';
}
