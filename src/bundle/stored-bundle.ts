import type { BundleSource } from '../contract/run-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type Bundle, openBundle } from './bundle.ts';
import { openObject } from './stored-object.ts';

/**
 * Opens the bundle that a request names.
 *
 * @throws ThawError `InputInvalid` for what is no bundle, and of the store
 */
export async function openSource(
  store: ObjectStore,
  source: BundleSource,
  signal: AbortSignal,
): Promise<Bundle> {
  if (source.kind === 'stored') return openBundle(await openObject(store, source.key, signal));
  throw new ThawError('InputInvalid', 'A bundle at a URL has to be brought into the store first.', {
    object: 'source',
  });
}
