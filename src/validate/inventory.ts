import { isArchiveKey, metadataKeys, parseArchiveKey } from '../archive/key.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectInfo, ObjectPage, ObjectStore } from '../store/object-store.ts';
import { isWithin, type Period } from './period.ts';

/** An archive as it lies in the store, with what belongs to it. */
export interface FoundArchive {
  readonly kind: 'archive';
  readonly key: string;
  /** Compressed size. */
  readonly bytes: number;
  readonly etag: string;
  /** Null where the store knows none. */
  readonly storageClass: string | null;
  /** Null where there is none. */
  readonly metadataKey: string | null;
  /** Of the deletion manifest; null where there is none. */
  readonly manifestKey: string | null;
}

/** Metadata or a manifest whose archive is not there. */
export interface Orphan {
  readonly kind: 'orphan';
  readonly key: string;
}

export type Found = FoundArchive | Orphan;

/** What to look through. */
export interface InventoryScope {
  /** Only below this; ends in `/` unless it is empty. */
  readonly folder: string;
  readonly period: Period;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Goes through a store in the order of its keys and puts together what belongs together. Holds no more
 * than a page of the listing and the objects of one archive.
 */
export async function* takeInventory(store: ObjectStore, scope: InventoryScope): AsyncGenerator<Found> {
  let group: ObjectInfo[] = [];
  let name = '';
  for await (const object of objectsBelow(store, scope)) {
    const next = groupOf(object.key);
    if (next !== name) {
      yield* pair(group);
      group = [];
      name = next;
    }
    if (isWithin(parseArchiveKey(dataKeyOf(object.key)), scope.period)) group.push(object);
  }
  yield* pair(group);
}

/** How many archives there are, and their compressed bytes. */
export async function measureInventory(
  store: ObjectStore,
  scopes: readonly InventoryScope[],
  signal: AbortSignal,
): Promise<{ readonly archives: number; readonly bytes: number }> {
  let archives = 0;
  let bytes = 0;
  for (const scope of scopes) {
    for await (const object of objectsBelow(store, { folder: scope.folder, signal })) {
      const { key } = object;
      if (!isArchiveKey(key) || !isWithin(parseArchiveKey(key), scope.period)) continue;
      archives += 1;
      bytes += object.bytes;
    }
  }
  return { archives, bytes };
}

/**
 * Finds one archive and what belongs to it; null where it is not there.
 *
 * @param key full, prefix included
 */
async function findArchive(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<FoundArchive | null> {
  const name = groupOf(key);
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  const group: ObjectInfo[] = [];
  for await (const object of objectsBelow(store, { folder, signal }, name)) {
    if (object.key.startsWith(`${name}.`)) group.push(object);
    else if (object.key > `${name}.`) break;
  }
  for (const found of pair(group)) if (found.kind === 'archive' && found.key === key) return found;
  return null;
}

/**
 * Finds an archive that is named with or without the configured prefix.
 *
 * @throws ThawError `ArchiveNotFound`
 */
export async function findNamedArchive(
  store: ObjectStore,
  key: string,
  prefix: string,
  signal?: AbortSignal,
): Promise<FoundArchive> {
  const folder = prefix === '' ? '' : `${prefix}/`;
  for (const candidate of key.startsWith(folder) ? [key] : [`${folder}${key}`, key]) {
    const found = await findArchive(store, candidate, signal);
    if (found !== null) return found;
  }
  throw new ThawError('ArchiveNotFound', `${store.name}/${key}: there is no such archive.`, { object: key });
}

async function* objectsBelow(
  store: ObjectStore,
  { folder, signal }: Pick<InventoryScope, 'folder' | 'signal'>,
  begin: string | null = null,
): AsyncGenerator<ObjectInfo> {
  let after = begin;
  do {
    const page: ObjectPage = await store.list({ prefix: folder, after, ...(signal ? { signal } : {}) });
    yield* page.objects;
    after = page.next;
  } while (after !== null);
}

/**
 * What the keys of an archive's objects have in common: all up to the first dot of the name. Whatever
 * begins so stands together in a listing, even where a table has a dot in its name.
 */
function groupOf(key: string): string {
  const dot = key.indexOf('.', key.lastIndexOf('/') + 1);
  return dot === -1 ? key : key.slice(0, dot);
}

/** The key of an archive, given that of anything that belongs to it. */
function dataKeyOf(key: string): string {
  return key.replace(/(?:\.jsonl(?:\.gz|\.zst)?)?\.(?:metadata|manifest)\.json$/, '.jsonl.gz');
}

const metadataEnd = '.metadata.json';
const manifestEnd = '.manifest.json';

function* pair(group: readonly ObjectInfo[]): Generator<Found> {
  const keys = new Set(group.map(({ key }) => key));
  const owned = new Set<string>();
  for (const { key, bytes, etag, storageClass } of group) {
    if (!isArchiveKey(key)) continue;
    const metadataKey = metadataKeys(key).find((candidate) => keys.has(candidate)) ?? null;
    const manifestKey = manifestKeys(key).find((candidate) => keys.has(candidate)) ?? null;
    for (const each of [...metadataKeys(key), ...manifestKeys(key)]) owned.add(each);
    yield { kind: 'archive', key, bytes, etag, storageClass, metadataKey, manifestKey };
  }
  for (const { key } of group) {
    const isPartner = key.endsWith(metadataEnd) || key.endsWith(manifestEnd);
    if (isPartner && !owned.has(key)) yield { kind: 'orphan', key };
  }
}

function manifestKeys(dataKey: string): string[] {
  return metadataKeys(dataKey).map((key) => `${key.slice(0, -metadataEnd.length)}${manifestEnd}`);
}
