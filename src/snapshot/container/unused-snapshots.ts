import type { ThawConfig } from '../../config/thaw-config.ts';
import type { SnapshotUser } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { readSnapshotUsers } from '../../postgres/snapshot-users.ts';
import { removeSnapshot, type SnapshotPlace } from './stored-snapshots.ts';

/** Where restores are looked for: a snapshot may be restored into any configured database. */
export interface UserSearch {
  readonly config: Pick<ThawConfig, 'databases'>;
  /** Where passwords are looked for. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Removes a snapshot that no restore needs.
 *
 * @throws ThawError `TargetBusy`, naming the restore that does; what {@link splitUnused} throws
 */
export async function removeUnused(place: SnapshotPlace, search: UserSearch, id: string): Promise<void> {
  const { kept } = await splitUnused(search, [id]);
  for (const { restoreId } of kept) {
    throw new ThawError('TargetBusy', `Snapshot ${id} is needed by restore ${restoreId}, which goes on.`, {
      object: id,
      hint: `Wait for the restore (\`thaw watch ${restoreId}\`) or cancel it, then delete the snapshot again.`,
    });
  }
  await removeSnapshot(place, id);
}

/** Which of some snapshots could be removed, and which not. @throws ThawError where a database cannot be asked */
export async function splitUnused(
  { config, env }: UserSearch,
  ids: readonly string[],
): Promise<{ readonly unused: readonly string[]; readonly kept: readonly SnapshotUser[] }> {
  if (ids.length === 0) return { unused: [], kept: [] };
  const options = { applicationName: 'thaw/snapshot-users' };
  const found = await Promise.all(
    config.databases.map((database) =>
      withDatabase(database, env, options, (client) => readSnapshotUsers(client, ids)),
    ),
  );
  const kept = new Map(found.flat().map((user) => [user.snapshotId, user]));
  return { unused: ids.filter((id) => !kept.has(id)), kept: [...kept.values()] };
}
