import { dirname } from 'node:path';
import type { ServiceConfig, StoreConfig } from '../../config/thaw-config.ts';
import type { DumpChoice } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { openStore } from '../../store/open-store.ts';
import { realFile } from './local-file.ts';

/**
 * Opens the store that the dump of a choice lies in, and the earlier ones: the one of the service, or the folder of
 * a file of this machine. Close it when done.
 *
 * @throws ThawError `ConfigInvalid` where nothing says where dumps of the service lie; `ArchiveNotFound` where
 * the file is not there
 */
export async function openDumpStore(
  service: ServiceConfig,
  choice: DumpChoice,
  env: NodeJS.ProcessEnv,
): Promise<ObjectStore> {
  if (choice.kind !== 'file') return openStore(dumpsOf(service), env);
  return openStore({ kind: 'folder', path: dirname(await realFile(choice.path)), prefix: '' }, env);
}

/**
 * Where dumps of a service lie.
 *
 * @throws ThawError `ConfigInvalid` where nothing says it
 */
export function dumpsOf({ name, dumps }: ServiceConfig): StoreConfig {
  if (dumps !== null) return dumps;
  throw new ThawError('ConfigInvalid', `service ${name}: nothing says where its dumps lie`, {
    object: name,
    hint: 'Set BACKUP_DIR, AWS_S3_BUCKET or services[].dumps of config.yaml, or name a dump by its path.',
  });
}
