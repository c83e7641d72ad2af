import path from 'node:path';
import { storeFingerprint } from '../../config/fingerprint.ts';
import type { S3StoreConfig, StoreConfig, ThawConfig } from '../../config/thaw-config.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ListOptions, ObjectInfo, ObjectStore } from '../../store/object-store.ts';
import { openStore } from '../../store/open-store.ts';

/** A folder of the worker's machine or of a bucket, opened. */
export interface Place {
  /** As messages call it. */
  readonly name: string;
  readonly store: ObjectStore;
  /** What keys in it begin with: empty, or with a slash at the end. */
  readonly prefix: string;
  /** Of the worker's machine; null for one of a bucket. */
  readonly folder: string | null;
}

/**
 * Does something with the place that a path or `s3://bucket/prefix` names. Buckets are reached by endpoint and keys of
 * the configured object store.
 *
 * @throws ThawError `ConfigInvalid` where no object store is configured
 */
export async function withPlace<T>(
  location: string,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  action: (place: Place) => Promise<T>,
): Promise<T> {
  const { config: storeConfig, prefix } = placeOf(location, config);
  const store = openStore(storeConfig, env);
  const folder = storeConfig.kind === 'folder' ? storeConfig.path : null;
  try {
    return await action({ name: location, store, prefix, folder });
  } finally {
    store.close();
  }
}

/** Fingerprint of the object stores that places lie in, without secrets; empty where all are folders. */
export function placesFingerprint(locations: readonly string[], config: ThawConfig): string {
  const stores = locations.map((location) => placeOf(location, config).config);
  return stores
    .filter((store) => store.kind === 's3')
    .map(storeFingerprint)
    .join(',');
}

/** Every object of a place, page by page. */
export async function* objectsOf(
  { store, prefix }: Place,
  options: Pick<ListOptions, 'signal'> & { readonly below?: string },
): AsyncGenerator<ObjectInfo> {
  const { below = '', signal } = options;
  let after: string | null = null;
  do {
    const page = await store.list({ prefix: prefix + below, after, ...(signal ? { signal } : {}) });
    yield* page.objects;
    after = page.next;
  } while (after !== null);
}

function placeOf(
  location: string,
  config: ThawConfig,
): { readonly config: StoreConfig; readonly prefix: string } {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(location) ?? [];
  if (bucket === undefined) {
    return { config: { kind: 'folder', path: path.resolve(location), prefix: '' }, prefix: '' };
  }
  const stores = [config.store, ...config.services.map(({ dumps }) => dumps)].filter(
    (store): store is S3StoreConfig => store?.kind === 's3',
  );
  const store = stores.find((each) => each.bucket === bucket) ?? stores[0];
  if (store === undefined) {
    throw new ThawError('ConfigInvalid', `${location}: no object store is configured`, {
      object: location,
      hint: 'Name a configuration with an s3 section by --config or THAW_CONFIG; its endpoint and keys are used.',
    });
  }
  const prefix = key.replace(/\/+$/, '');
  return { config: { ...store, bucket, prefix }, prefix: prefix === '' ? '' : `${prefix}/` };
}
