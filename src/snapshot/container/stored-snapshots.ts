import type { SnapshotManifest, SnapshotSummary } from '../../contract/snapshot.ts';
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

/** What a snapshot holds; null where there is none of that id. @throws ThawError `MetadataInvalid` */
export async function findManifest(
  { store, prefix }: SnapshotPlace,
  id: string,
): Promise<SnapshotManifest | null> {
  const key = `${snapshotFolder(prefix, id)}${manifestName}`;
  const bytes = await store.read(key);
  return bytes === null ? null : parseManifest(bytes, key);
}

/**
 * The same of one that has to be there.
 *
 * @throws ThawError `ArchiveNotFound` where there is none of that id, or one whose manifest was not written yet;
 * `MetadataInvalid`
 */
export async function readManifest(place: SnapshotPlace, id: string): Promise<SnapshotManifest> {
  const manifest = await findManifest(place, id);
  if (manifest !== null) return manifest;
  throw new ThawError('ArchiveNotFound', `There is no snapshot ${id} in ${place.store.name}.`, {
    object: id,
    hint: '`thaw snapshot list` shows what there is.',
  });
}

/** What is told of a snapshot without its tables' columns. */
export function summaryOf(manifest: SnapshotManifest): SnapshotSummary {
  const { id, name, type, createdAt, createdBy, expiresAt, database, tenant, totalRows, bytes } = manifest;
  const tables = manifest.tables.map(({ schema, table, rows }) => ({ schema, table, rows }));
  return { id, name, type, createdAt, createdBy, expiresAt, database, tenant, tables, totalRows, bytes };
}

/** Snapshots as a listing finds them, and what of it cannot be read. */
export interface FoundSnapshots {
  readonly snapshots: readonly SnapshotManifest[];
  readonly unreadable: readonly { readonly id: string; readonly error: ThawError }[];
}

/** Those that were to be kept until `now` (milliseconds) or before, the newest first. */
export async function expiredSnapshots(place: SnapshotPlace, now: number): Promise<FoundSnapshots> {
  const { snapshots, unreadable } = await listSnapshots(place);
  const due = snapshots.filter(({ expiresAt }) => expiresAt !== null && Date.parse(expiresAt) <= now);
  return { snapshots: due, unreadable };
}

/** Manifests that are read at the same time. */
const readTogether = 16;

/** All snapshots that were written to their ends, the newest first. */
export async function listSnapshots(place: SnapshotPlace): Promise<FoundSnapshots> {
  const { store, prefix } = place;
  const folder = snapshotsFolder(prefix);
  const snapshots: SnapshotManifest[] = [];
  const unreadable: { readonly id: string; readonly error: ThawError }[] = [];
  const readOne = async (id: string) => {
    try {
      snapshots.push(await readManifest(place, decodeURIComponent(id)));
    } catch (error) {
      if (!(error instanceof ThawError) || error.retryable) throw error;
      unreadable.push({ id, error });
    }
  };
  const ids: string[] = [];
  for (let after: string | null = null; ; ) {
    const page = await store.list({ prefix: folder, after });
    for (const { key } of page.objects) {
      const [id = '', name, ...more] = key.slice(folder.length).split('/');
      if (name === manifestName && more.length === 0) ids.push(id);
    }
    after = page.next;
    if (after === null) break;
  }
  while (ids.length > 0) await Promise.all(ids.splice(0, readTogether).map(readOne));
  return { snapshots: snapshots.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1)), unreadable };
}

/**
 * Removes a snapshot with all that lies in its folder, the manifest first: what is half removed is none any more.
 *
 * @returns how many objects were removed
 */
export async function removeSnapshot(place: SnapshotPlace, id: string): Promise<number> {
  await place.store.remove(`${snapshotFolder(place.prefix, id)}${manifestName}`);
  return 1 + (await removeUnfinished(place, id));
}

/**
 * Removes what lies in the folder of a snapshot that has no manifest; of one that has, nothing.
 *
 * @returns how many objects were removed
 */
export async function removeUnfinished({ store, prefix }: SnapshotPlace, id: string): Promise<number> {
  const folder = snapshotFolder(prefix, id);
  if ((await store.read(`${folder}${manifestName}`)) !== null) return 0;
  for (let removed = 0, after: string | null = null; ; ) {
    const page = await store.list({ prefix: folder, after });
    for (const { key } of page.objects) await store.remove(key);
    removed += page.objects.length;
    after = page.next;
    if (after === null) return removed;
  }
}
