import type { Tally } from '../contract/outcome.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import type {
  SnapshotRequest,
  SnapshotSource,
  SnapshotStep,
  SnapshotTableResult,
} from '../contract/snapshot.ts';
import type {
  MergedSnapshot,
  PlannedSnapshotTable,
  SnapshotProgress,
  SnapshotRestoreStep,
} from '../contract/snapshot-restore.ts';
import { type RestoreHead, sumProgress } from './progress.ts';
import { emptyTally } from './tally.ts';

/** How far a restore of a snapshot is, as its workflow knows it. */
export type SnapshotStanding = Pick<
  SnapshotProgress,
  'snapshotStep' | 'steps' | 'keys' | 'locks' | 'preSnapshotId' | 'notices' | 'outcome'
>;

/** The progress of a restore of a snapshot, in the form that all restores have: its tables stand for archives. */
export function snapshotProgress(
  { restoreId, database, source, strategy }: SnapshotRequest,
  head: Omit<RestoreHead, 'restoreId' | 'database'>,
  standing: SnapshotStanding,
  merged: MergedSnapshot | null,
  now: number,
): SnapshotProgress {
  const { steps } = standing;
  const tables = merged?.tables ?? [];
  return {
    ...sumProgress({ ...head, restoreId, database }, [], now),
    archives: { done: tables.length, total: steps.length === 0 ? null : steps.length },
    bytes: { done: 0, total: null },
    tally: mergedTally(tables),
    ...{ source, strategy },
    ...standing,
  };
}

/** What a merge did, in the form that all restores have. */
export function mergedTally(tables: readonly SnapshotTableResult[]): Tally {
  const add = (of: (table: SnapshotTableResult) => number) =>
    tables.reduce((all, table) => all + of(table), 0);
  return {
    ...emptyTally,
    archives: { ...emptyTally.archives, restored: tables.length },
    rows: {
      ...emptyTally.rows,
      inserted: add(({ inserted }) => inserted),
      updated: add(({ updated }) => updated),
      skipped: add(({ unchanged }) => unchanged),
    },
  };
}

/** Whether a progress is that of a restore of a snapshot. */
export function isSnapshotProgress(progress: RestoreProgress): progress is SnapshotProgress {
  return 'snapshotStep' in progress;
}

/** How far each table is, by what is done with all of them; activities tell more of their own. */
export function tableSteps(
  tables: readonly PlannedSnapshotTable[],
  step: SnapshotRestoreStep,
  end: 'completed' | 'failed' | null,
): SnapshotStep[] {
  const isStaged = step === 'merge' || step === 'finish';
  const status = end ?? (isStaged ? 'staged' : 'pending');
  const progress_pct = { completed: 100, failed: 0, staged: 50, pending: 0 }[status];
  return tables.map(({ schema, table }) => ({
    table: `${schema}.${table}`,
    ...{ status, progress_pct, eta_seconds: status === 'completed' ? 0 : null },
  }));
}

/** From 0 to 1. */
export function snapshotShare({ steps }: SnapshotProgress): number {
  const sum = steps.reduce((all, { progress_pct }) => all + progress_pct, 0);
  return steps.length === 0 ? 0 : sum / steps.length / 100;
}

/** A source as people say it. */
export function tellSource(source: SnapshotSource): string {
  if (source.kind === 'object') return source.key;
  return source.kind === 'stored' ? `snapshot ${source.id}` : `row ${source.id} of backup_pitr_snapshots`;
}
