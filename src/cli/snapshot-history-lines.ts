import type { SnapshotHistory } from '../contract/snapshot-history.ts';
import { columns } from '../restore/columns.ts';
import { formatCount, formatSeconds } from '../restore/format.ts';
import { printable } from '../restore/printable.ts';

/** Restores of snapshots under a heading, and the tables of those that run, for people. */
export function historyLines(restores: readonly SnapshotHistory[]): string[] {
  if (restores.length === 0) return ['No restores of snapshots.'];
  const cells = restores.map((restore) => [
    restore.restore_id,
    printable(restore.snapshot_id),
    `${restore.rollback_started_at.slice(0, 19)}Z`,
    restore.status,
    restore.duration_seconds === null ? '-' : formatSeconds(restore.duration_seconds),
    restore.rows_restored === null ? '-' : formatCount(restore.rows_restored),
    printable(restore.initiated_by),
    printable(restore.reason ?? ''),
  ]);
  const heading = ['RESTORE', 'SNAPSHOT', 'STARTED', 'STATUS', 'TOOK', 'ROWS', 'BY', 'REASON'];
  return [...columns([heading, ...cells], new Set([4, 5])), ...restores.flatMap(detailLines)];
}

function detailLines({
  restore_id: id,
  status,
  current_step: step,
  restoration_steps: steps,
  error_details: error,
}: SnapshotHistory): string[] {
  if (status === 'failed' && error !== null) return [`${id}: ${error.code}: ${printable(error.error)}`];
  if (status !== 'in_progress') return [];
  const cells = steps.map(({ table, status: state, progress_pct: percent, eta_seconds: eta }) => [
    `  ${printable(table)}`,
    state,
    `${percent} %`,
    eta === null || eta === 0 ? '' : `about ${formatSeconds(eta)} left`,
  ]);
  return [`${id}: ${printable(step ?? 'starting')}`, ...columns(cells, new Set([2]))];
}
