import type { ObjectInfo, ObjectPage, ObjectStore } from './object-store.ts';

/** An object found below one of several folders. */
export interface PlacedObject {
  readonly object: ObjectInfo;
  /** Its key below that folder. */
  readonly name: string;
}

/** Where and from where on to list. */
export interface MergedListing {
  /** Each ends in `/`, or is empty. */
  readonly folders: readonly string[];
  /** Only names after this one. @default null */
  readonly after?: string | null;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lists folders of the same layout as if they were one: by the bytes of the names below them, so that what was
 * archived first comes first, wherever it lies. Holds a page of each.
 */
export async function* mergedObjects(
  store: ObjectStore,
  { folders, after = null, signal }: MergedListing,
): AsyncGenerator<PlacedObject, void, undefined> {
  const listings = folders.map((folder) => objectsBelow(store, folder, after, signal));
  const heads = await Promise.all(listings.map((listing) => listing.next()));
  for (;;) {
    let least = -1;
    let first: PlacedObject | null = null;
    for (const [index, { value }] of heads.entries()) {
      if (!value || (first !== null && compare(first.name, value.name) <= 0)) continue;
      least = index;
      first = value;
    }
    const listing = listings[least];
    if (first === null || listing === undefined) return;
    yield first;
    heads[least] = await listing.next();
  }
}

async function* objectsBelow(
  store: ObjectStore,
  folder: string,
  after: string | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<PlacedObject, void, undefined> {
  let last = after === null ? null : folder + after;
  do {
    const page: ObjectPage = await store.list({ prefix: folder, after: last, ...(signal ? { signal } : {}) });
    for (const object of page.objects) yield { object, name: object.key.slice(folder.length) };
    last = page.next;
  } while (last !== null);
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
