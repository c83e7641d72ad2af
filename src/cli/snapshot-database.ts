import { findDatabase, onlyDatabase } from '../config/database-config.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import type { SnapshotSource } from '../contract/snapshot.ts';
import { readManifest } from '../snapshot/container/stored-snapshots.ts';
import { openStore } from '../store/open-store.ts';
import { chosenDatabase } from './chosen-database.ts';

/**
 * The database of the tables that a snapshot is restored into: the one named, else the only one configured, else the
 * one that the snapshot was taken of, where it says so.
 *
 * @throws ThawError `InputInvalid` as `chosenDatabase`; what reading the snapshot throws
 */
export async function snapshotDatabase(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  source: SnapshotSource,
  named: string | null,
): Promise<DatabaseConfig> {
  if (named !== null || onlyDatabase(config) !== null || source.kind !== 'stored')
    return chosenDatabase(config, named);
  const store = openStore(config.store, env);
  try {
    const { database } = await readManifest({ store, prefix: config.store.prefix }, source.id);
    return findDatabase(config, database);
  } finally {
    store.close();
  }
}
