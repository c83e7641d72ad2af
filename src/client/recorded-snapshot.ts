import type { ThawConfig } from '../config/thaw-config.ts';
import {
  listSnapshotRestores,
  readSnapshotRestore,
  type StoredSnapshotRestore,
} from '../postgres/snapshot-restores.ts';
import { askDatabases, type RecordedRestores } from './recorded-restore.ts';

/**
 * Looks for a restore of a snapshot in `thaw.snapshot_restores` of the configured databases: it answers without
 * Temporal, and after its retention.
 *
 * @param database only this one; null: all
 */
export async function findRecordedSnapshot(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
  database: string | null,
): Promise<RecordedRestores<StoredSnapshotRestore>> {
  return askDatabases(config, env, database, async (client) => {
    const restore = await readSnapshotRestore(client, restoreId);
    return restore === null ? [] : [restore];
  });
}

/** The latest restores of snapshots, at most `limit` of each database. */
export async function listRecordedSnapshots(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  database: string | null,
  limit: number,
): Promise<RecordedRestores<StoredSnapshotRestore>> {
  const found = await askDatabases(config, env, database, (client) => listSnapshotRestores(client, limit));
  return { ...found, restores: found.restores.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1)) };
}
