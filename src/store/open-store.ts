import type { StoreConfig } from '../config/thaw-config.ts';
import { FolderStore } from './folder-store.ts';
import type { ObjectStore } from './object-store.ts';
import { S3Store } from './s3-store.ts';

/**
 * The store that the configuration names. Nothing is asked of it yet; close it when done.
 *
 * @param env where access keys are looked for when the configuration has none
 */
export function openStore(config: StoreConfig, env: NodeJS.ProcessEnv): ObjectStore {
  return config.kind === 's3' ? new S3Store(config, env) : new FolderStore(config);
}
