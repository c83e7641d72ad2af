import type pg from 'pg';
import { readKept } from './kept.ts';
import { lease } from './targets.ts';

/** A restore of a snapshot of which it is not written that it has ended. */
export interface UnendedSnapshot {
  readonly restoreId: string;
  /** Temporal cluster, namespace and id of its workflow; null where they are not known. */
  readonly workflow: string | null;
  /**
   * All its tables were taken by others, or let go: whatever its workflow still does, nothing of it commits any more.
   */
  readonly isDisowned: boolean;
}

/** Restores of snapshots that are on their way, or whose end was not written; none where Thaw never wrote here. */
export function listUnended(client: pg.ClientBase): Promise<UnendedSnapshot[]> {
  return readKept<UnendedSnapshot>(
    client,
    'thaw.snapshot_history',
    `select restore_id as "restoreId", restore.workflow,
       -- one that begins holds none yet
       least(started_at, rollback_started_at) < now() - $1::interval
         and not exists (select from thaw.targets as held
           where held.restore_id = coalesce(history.restore_id, restore.restore_id) and released_at is null) as "isDisowned"
     from thaw.snapshot_history as history
     full join thaw.snapshot_restores as restore using (restore_id)
     where history.status = 'in_progress' or restore.restore_id is not null and ended_at is null
     order by least(started_at, rollback_started_at) limit 100`,
    [lease],
  );
}
