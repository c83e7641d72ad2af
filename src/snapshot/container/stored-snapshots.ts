import type { SnapshotManifest } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { parseManifest } from './manifest.ts';
import { manifestName, snapshotFolder, snapshotsFolder } from './snapshot-keys.ts';

/** Where snapshots lie. */
export interface SnapshotPlace {
  readonly store: ObjectStore;
  /** Prefix of the configured store; may be empty. */
  readonly prefix: string;
}

/**
 * What a snapshot holds.
 *
 * @throws ThawError `ArchiveNotFound` where there is none of that id, or one whose manifest was not written yet;
 * `MetadataInvalid`
 */
export async function readManifest({ store, prefix }: SnapshotPlace, id: string): Promise<SnapshotManifest> {
  const key = `${snapshotFolder(prefix, id)}${manifestName}`;
  const bytes = await store.read(key);
  if (bytes !== null) return parseManifest(bytes, key);
  throw new ThawError('ArchiveNotFound', `There is no snapshot ${id} in ${store.name}.`, {
    object: key,
    hint: '`thaw snapshot list` shows what there is.',
  });
}

/** A snapshot as a listing finds it: its manifest, or why that cannot be read. */
export type ListedSnapshot =
  | { readonly id: string; readonly manifest: SnapshotManifest }
  | { readonly id: string; readonly error: ThawError };

/** All snapshots that were written to their ends, the newest first. */
export async function listSnapshots(place: SnapshotPlace, signal?: AbortSignal): Promise<ListedSnapshot[]> {
  const { store, prefix } = place;
  const folder = snapshotsFolder(prefix);
  const found: ListedSnapshot[] = [];
  for (let after: string | null = null; ; ) {
    const page = await store.list({ prefix: folder, after, ...(signal && { signal }) });
    for (const { key } of page.objects) {
      const [id = '', name, ...more] = key.slice(folder.length).split('/');
      if (name !== manifestName || more.length > 0) continue;
      found.push(await listed(place, decodeURIComponent(id)));
    }
    after = page.next;
    if (after === null) break;
  }
  return found.toSorted((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1));
}

async function listed(place: SnapshotPlace, id: string): Promise<ListedSnapshot> {
  try {
    return { id, manifest: await readManifest(place, id) };
  } catch (error) {
    if (error instanceof ThawError && !error.retryable) return { id, error };
    throw error;
  }
}

function timeOf(listedOne: ListedSnapshot): string {
  return 'manifest' in listedOne ? listedOne.manifest.createdAt : '';
}

/**
 * Removes a snapshot with all that lies in its folder, the manifest first: what is half removed is none any more.
 *
 * @returns how many objects were removed
 */
export async function removeSnapshot({ store, prefix }: SnapshotPlace, id: string): Promise<number> {
  const folder = snapshotFolder(prefix, id);
  await store.remove(`${folder}${manifestName}`);
  for (let removed = 0; ; ) {
    const { objects } = await store.list({ prefix: folder });
    if (objects.length === 0) return removed;
    for (const { key } of objects) await store.remove(key);
    removed += objects.length;
  }
}
