import { isEnded } from '../contract/progress.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { StoredSnapshotRestore } from '../postgres/snapshot-restores.ts';
import type { SnapshotRestoreInput } from './snapshot-restore-request.ts';

/** How a restore of a snapshot is taken back. */
export interface SnapshotUndoHow {
  /** Also tables that others have changed since: their changes are lost. */
  readonly force: boolean;
  /** Takes a snapshot of what is there first, by which the undo can be undone. */
  readonly preSnapshot: boolean;
  readonly by: string;
  readonly reason: string | null;
}

/**
 * What takes a restore of a snapshot back: a restore of what was there before, into the same tables and the same part
 * of them.
 *
 * @throws ThawError `TargetBusy` while it goes on; `InputInvalid` where it has changed nothing, or has kept nothing
 */
export function snapshotUndo(
  restore: StoredSnapshotRestore,
  { force, preSnapshot, by, reason }: SnapshotUndoHow,
): SnapshotRestoreInput {
  const { request, state, preSnapshotId, mergedAt, contentToken } = restore;
  const { restoreId, database } = request;
  if (!isEnded(state)) throw stillRuns(restoreId);
  if (mergedAt === null) throw changedNothing(restoreId);
  if (preSnapshotId === null) throw keptNothing(restoreId);
  return {
    ...{ database, source: { kind: 'stored', id: preSnapshotId }, undoes: restoreId },
    // The snapshot holds those tables, and that part of them, and no others.
    ...{ tables: null, tenant: request.tenant, strategy: 'overwrite', newerBy: null, selection: null },
    ...{ ifUnchanged: force ? null : contentToken, schemaStrategy: 'strict', again: true, preSnapshot },
    ...{ by, reason: reason ?? `undo of ${restoreId}` },
  };
}

function stillRuns(restoreId: string): ThawError {
  return new ThawError('TargetBusy', `restore ${restoreId} still runs.`, {
    object: restoreId,
    hint: `Wait for its end (\`thaw watch ${restoreId}\`), or cancel it; what is cancelled changes nothing.`,
  });
}

function changedNothing(restoreId: string): ThawError {
  return new ThawError('InputInvalid', `restore ${restoreId} has changed nothing.`, {
    object: restoreId,
    hint: 'There is nothing to undo.',
  });
}

function keptNothing(restoreId: string): ThawError {
  return new ThawError(
    'InputInvalid',
    `restore ${restoreId} took no snapshot of what was there, by which it could be undone.`,
    { object: restoreId, hint: 'One is taken first unless --no-pre-snapshot is given.' },
  );
}
