import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';

/**
 * A small object that may lie beside a dump; null where there is none. S3 forbids whoever may not list a bucket to
 * read what is not there, as it does what is.
 *
 * @throws errors of the store
 */
export async function readBeside(
  store: ArchiveStore,
  key: string,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    return await store.read(key, { signal });
  } catch (error) {
    if (error instanceof ThawError && error.code === 'PermissionDenied') return null;
    throw error;
  }
}
