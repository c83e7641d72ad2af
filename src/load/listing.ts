import { inArchiveOrder, isArchiveKey, metadataKeys, parseArchiveKey } from '../archive/key.ts';
import type { ArchiveRef } from '../contract/activities.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';

/** Which archives of a table to list. */
export interface ListingScope {
  /** The folder of the table, ending in `/`. */
  readonly folder: string;
  /** First day of archiving, `YYYY-MM-DD`, inclusive; with a day given, keys without one are left out. */
  readonly startDate: string | null;
  readonly endDate: string | null;
  readonly signal?: AbortSignal;
}

type FoundObject = Pick<ObjectInfo, 'key' | 'bytes' | 'etag'>;

/** Some archives, in archive order. */
export interface ListedPage {
  readonly archives: readonly ArchiveRef[];
  /** Pass it on to go on; null at the end. */
  readonly next: string | null;
}

/**
 * Lists archives in archive order. The store lists `batch_1000` before `batch_101`, so a page ends only
 * where the second of archiving changes, and is sorted by time and batch.
 *
 * @param cursor where the page before ended; null at the start
 * @param size archives that make a page full; it may hold more
 */
export async function listPage(
  store: ObjectStore,
  scope: ListingScope,
  cursor: string | null,
  size: number,
): Promise<ListedPage> {
  const found: ObjectInfo[] = [];
  const metadata = new Set<string>();
  let archives = 0;
  let group = '';
  let last = cursor ?? beforeFirst(scope);
  for (;;) {
    const page = await store.list({
      prefix: scope.folder,
      after: last,
      ...(scope.signal === undefined ? {} : { signal: scope.signal }),
    });
    for (const object of page.objects) {
      const second = groupOf(object.key);
      if (archives >= size && second !== group)
        return { archives: inOrder(found, metadata, scope), next: last };
      if (isBehind(object.key, scope)) return { archives: inOrder(found, metadata, scope), next: null };
      group = second;
      last = object.key;
      if (object.key.endsWith('.metadata.json')) metadata.add(object.key);
      if (!isArchiveKey(object.key) || !isWanted(object.key, scope)) continue;
      found.push(object);
      archives += 1;
    }
    if (page.next === null) return { archives: inOrder(found, metadata, scope), next: null };
    last = page.next;
  }
}

/**
 * Finds archives by their keys, in archive order. One that is not there is given too, without an entity
 * tag, so that it fails when its turn comes, and the others do not.
 */
export async function findArchives(
  store: ObjectStore,
  folder: string,
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
  return inOrder([...found, ...missing], metadata, { folder, startDate: null, endDate: null });
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
function beforeFirst({ folder, startDate }: ListingScope): string | null {
  if (startDate === null) return null;
  const [year, month, day] = startDate.split('-');
  return `${folder}year=${year}/month=${month}/day=${day}`;
}

/** In that layout nothing after the last day is wanted. */
function isBehind(key: string, { folder, endDate }: ListingScope): boolean {
  if (endDate === null || !key.startsWith(`${folder}year=`)) return false;
  const { day } = parseArchiveKey(key);
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
  metadata: ReadonlySet<string>,
  { folder }: ListingScope,
): ArchiveRef[] {
  return inArchiveOrder(objects, ({ key }) => key).map(({ key, bytes, etag }) => {
    const [sibling = '', suffixed = ''] = metadataKeys(key);
    return {
      name: key.slice(folder.length),
      bytes,
      etag,
      metadata: metadata.has(sibling) ? 'sibling' : metadata.has(suffixed) ? 'suffixed' : 'none',
    };
  });
}
