import { inArchiveOrder, isArchiveKey, metadataKeys, parseArchiveKey } from '../archive/key.ts';
import type { ArchiveRef } from '../contract/activities.ts';
import { archiveName } from '../contract/names.ts';
import { mergedObjects } from '../store/merged-listing.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';

/** Which archives of a table to list. */
export interface ListingScope {
  /** Where the table's archives may lie (`tableFolders`); names are relative to the first. */
  readonly folders: readonly string[];
  /** First day of archiving, `YYYY-MM-DD`, inclusive; with a day given, keys without one are left out. */
  readonly startDate: string | null;
  readonly endDate: string | null;
  readonly signal?: AbortSignal;
}

type FoundObject = Pick<ObjectInfo, 'key' | 'bytes' | 'etag'>;

/** Some archives, in archive order. */
export interface ListedPage {
  readonly archives: readonly ArchiveRef[];
  /** Sizes of the metadata objects among them, by key. */
  readonly metadata: ReadonlyMap<string, number>;
  /** Pass it on to go on; null at the end. */
  readonly next: string | null;
}

/**
 * Lists archives in archive order. The store lists `batch_1000` before `batch_101`, so a page ends only
 * where the second of archiving changes, and is sorted by time and batch.
 *
 * @param cursor where the page before ended, a name below the folders; null at the start
 * @param size archives that make a page full; it may hold more
 */
export async function listPage(
  store: ObjectStore,
  scope: ListingScope,
  cursor: string | null,
  size: number,
): Promise<ListedPage> {
  const found: ObjectInfo[] = [];
  const metadata = new Map<string, number>();
  let group = '';
  let last = cursor ?? beforeFirst(scope);
  const objects = mergedObjects(store, { folders: scope.folders, after: last, signal: scope.signal });
  for await (const { object, name } of objects) {
    const second = groupOf(name);
    const isFull = found.length >= size && second !== group;
    if (isFull) return { archives: inOrder(found, metadata, scope.folders), metadata, next: last };
    if (isBehind(name, scope)) break;
    group = second;
    last = name;
    if (name.endsWith('.metadata.json')) metadata.set(object.key, object.bytes);
    if (isArchiveKey(name) && isWanted(name, scope)) found.push(object);
  }
  return { archives: inOrder(found, metadata, scope.folders), metadata, next: null };
}

/**
 * Finds archives by their keys, in archive order. One that is not there is given too, without an entity
 * tag, so that it fails when its turn comes, and the others do not.
 */
export async function findArchives(
  store: ObjectStore,
  folders: readonly string[],
  keys: readonly string[],
  signal: AbortSignal,
): Promise<readonly ArchiveRef[]> {
  const wanted = new Set(keys);
  const found: FoundObject[] = [];
  const metadata = new Set<string>();
  for (const { directory, first, last } of stretches(keys)) {
    for (let after: string | null = first, more = true; more; ) {
      const page = await store.list({ prefix: directory, after, signal });
      for (const object of page.objects) {
        if (object.key.endsWith('.metadata.json')) metadata.add(object.key);
        if (wanted.delete(object.key)) found.push(object);
      }
      after = page.next;
      more = page.next !== null && stemOf(page.next) <= last;
    }
  }
  const missing = [...wanted].map((key) => ({ key, bytes: 0, etag: '' }));
  return inOrder([...found, ...missing], metadata, folders);
}

/** The directories that keys lie in, and what their names there begin with from the first to the last one. */
function stretches(keys: readonly string[]) {
  const byDirectory = new Map<string, string[]>();
  for (const key of keys) {
    const directory = key.slice(0, key.lastIndexOf('/') + 1);
    byDirectory.set(directory, [...(byDirectory.get(directory) ?? []), stemOf(key)]);
  }
  return [...byDirectory].map(([directory, stems]) => {
    const ordered = stems.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return { directory, first: ordered[0] ?? directory, last: ordered.at(-1) ?? directory };
  });
}

/** What the keys of an archive and of its metadata both begin with. */
function stemOf(key: string): string {
  const dot = key.indexOf('.', key.lastIndexOf('/') + 1);
  return dot === -1 ? key : key.slice(0, dot);
}

/** In the archiver's layout a listing can begin at a day; `day=04` sorts before all keys of that day. */
function beforeFirst({ startDate }: ListingScope): string | null {
  if (startDate === null) return null;
  const [year, month, day] = startDate.split('-');
  return `year=${year}/month=${month}/day=${day}`;
}

/** In that layout nothing after the last day is wanted. */
function isBehind(name: string, { endDate }: ListingScope): boolean {
  if (endDate === null || !name.startsWith('year=')) return false;
  const { day } = parseArchiveKey(name);
  return day !== null && day > endDate;
}

function isWanted(key: string, { startDate, endDate }: ListingScope): boolean {
  if (startDate === null && endDate === null) return true;
  const { day } = parseArchiveKey(key);
  return day !== null && (startDate === null || day >= startDate) && (endDate === null || day <= endDate);
}

/** What the keys of one second of archiving have in common; the batch and everything behind it differ. */
function groupOf(key: string): string {
  const batch = key.lastIndexOf('_batch_');
  return batch === -1 ? key : key.slice(0, batch);
}

function inOrder(
  objects: readonly FoundObject[],
  metadata: Pick<ReadonlySet<string>, 'has'>,
  [folder = '']: readonly string[],
): ArchiveRef[] {
  return inArchiveOrder(objects, ({ key }) => key).map(({ key, bytes, etag }) => {
    const [sibling = '', suffixed = ''] = metadataKeys(key);
    return {
      name: archiveName(folder, key),
      bytes,
      etag,
      metadata: metadata.has(sibling) ? 'sibling' : metadata.has(suffixed) ? 'suffixed' : 'none',
    };
  });
}
