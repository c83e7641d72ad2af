import type pg from 'pg';
import type { SnapshotUser } from '../contract/snapshot.ts';
import { readKept } from './kept.ts';

/**
 * Which of some snapshots in the store restores into this database still need: those that they read, and those that
 * they have taken of what was there. A restore counts as long as it has not ended and shows that it lives, by the
 * lease of its tables or by a session; wherever it runs, it does so in the database.
 */
export function readSnapshotUsers(client: pg.ClientBase, ids: readonly string[]): Promise<SnapshotUser[]> {
  return readKept<SnapshotUser>(
    client,
    'thaw.snapshot_restores',
    `select needed.id as "snapshotId", min(restore_id) as "restoreId"
     from thaw.snapshot_restores as restore
     join unnest($1::text[]) as needed (id)
       on needed.id = pre_snapshot_id or (source_kind = 'stored' and needed.id = source_id)
     where ended_at is null
       and (exists (select from thaw.targets as held
            where held.restore_id = restore.restore_id and released_at is null and lease_until > now())
         or exists (select from pg_stat_activity
            where datname = current_database()
              and starts_with(application_name, 'thaw/' || restore.restore_id || '/snapshot/')))
     group by needed.id`,
    [ids],
  );
}
