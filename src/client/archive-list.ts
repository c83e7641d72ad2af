import { inArchiveOrder, isArchiveKey, parseArchiveKey } from '../archive/key.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { mergedObjects } from '../store/merged-listing.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';

/** Which archives of a table are meant. */
export interface ArchiveFilter {
  /** Exactly these, with or without prefix; null: all. */
  readonly keys: readonly string[] | null;
  /** First day of archiving, inclusive; with a filter by days, archives without a day are left out. */
  readonly startDate: string | null;
  readonly endDate: string | null;
}

/** All archives. */
export const noFilter: ArchiveFilter = { keys: null, startDate: null, endDate: null };

/**
 * The archives of a table, in archive order.
 *
 * @param folders where they may lie
 * @throws ThawError `ArchiveNotFound` when one that is named is not there
 */
export async function listTableArchives(
  store: ObjectStore,
  prefix: string,
  folders: readonly string[],
  filter: ArchiveFilter = noFilter,
): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const { object } of mergedObjects(store, { folders })) {
    if (isArchiveKey(object.key) && isWithin(object.key, filter)) found.push(object);
  }
  const wanted = filter.keys === null ? found : pick(found, filter.keys, prefix, store.name);
  return inArchiveOrder(wanted, ({ key }) => key);
}

function isWithin(key: string, { startDate, endDate }: ArchiveFilter): boolean {
  if (startDate === null && endDate === null) return true;
  const { day } = parseArchiveKey(key);
  return day !== null && (startDate === null || day >= startDate) && (endDate === null || day <= endDate);
}

function pick(
  found: readonly ObjectInfo[],
  keys: readonly string[],
  prefix: string,
  store: string,
): ObjectInfo[] {
  const byKey = new Map(found.map((object) => [object.key, object]));
  return keys.map((key) => {
    const object = byKey.get(key) ?? byKey.get(`${prefix}/${key}`);
    if (object !== undefined) return object;
    throw new ThawError('ArchiveNotFound', `${store}/${key}: is not there`, { object: key });
  });
}
