import { parseArchiveKey, tableOfKey } from '../archive/key.ts';
import { parseMetadata } from '../archive/metadata.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { frozenObjects } from '../store/storage-class.ts';
import { type FoundArchive, type InventoryScope, takeInventory } from './inventory.ts';

/** What there is of one table in the store. */
export interface TableSummary {
  readonly database: string;
  readonly table: string;
  readonly archives: number;
  /** Compressed. */
  readonly bytes: number;
  /** First and last day of archiving, `YYYY-MM-DD`; null where no key names one. */
  readonly firstDay: string | null;
  readonly lastDay: string | null;
  /** By the metadata of the archives; null where it was not asked for. */
  readonly rows: number | null;
  /** Archives whose metadata does not tell how many rows they hold. */
  readonly uncounted: number;
  /** In a storage class whose objects must be thawed first, as far as the listing tells. */
  readonly frozen: number;
}

/** Metadata read at a time, where rows are asked for. */
const lanes = 8;

/**
 * Tells which tables have archives below a folder, in the order of their names. Memory grows with the
 * number of tables only.
 *
 * @param prefix what every key begins with, as configured
 * @param withRows reads the metadata of every archive: a request each
 */
export async function summarizeStore(
  store: ObjectStore,
  scope: InventoryScope,
  prefix: string,
  withRows: boolean,
): Promise<TableSummary[]> {
  const tables = new Map<string, TableSummary>();
  const found = takeInventory(store, scope);
  const lane = async (): Promise<void> => {
    for (let next = await found.next(); next.done !== true; next = await found.next()) {
      const place = next.value.kind === 'archive' ? tableOfKey(next.value.key, prefix) : null;
      if (next.value.kind === 'orphan' || place === null) continue;
      const rows = withRows ? await rowsOf(store, next.value) : null;
      const name = JSON.stringify([place.database, place.table]);
      const before = tables.get(name) ?? { ...place, ...nothing, rows: withRows ? 0 : null };
      tables.set(name, add(before, next.value, rows));
    }
  };
  await Promise.all(Array.from({ length: withRows ? lanes : 1 }, lane));
  return [...tables.values()].sort((a, b) => compare(a.database, b.database) || compare(a.table, b.table));
}

const nothing = { archives: 0, bytes: 0, firstDay: null, lastDay: null, uncounted: 0, frozen: 0 };

function add(summary: TableSummary, archive: FoundArchive, rows: number | null): TableSummary {
  const { key, bytes } = archive;
  const { day } = parseArchiveKey(key);
  const isEarlier = day !== null && (summary.firstDay === null || day < summary.firstDay);
  const isLater = day !== null && (summary.lastDay === null || day > summary.lastDay);
  return {
    ...summary,
    archives: summary.archives + 1,
    bytes: summary.bytes + bytes,
    firstDay: isEarlier ? day : summary.firstDay,
    lastDay: isLater ? day : summary.lastDay,
    rows: summary.rows === null ? null : summary.rows + (rows ?? 0),
    frozen: summary.frozen + frozenObjects([archive]).length,
    uncounted: summary.uncounted + (summary.rows !== null && rows === null ? 1 : 0),
  };
}

/** Null where the metadata does not tell, or is none. */
async function rowsOf(store: ObjectStore, { metadataKey }: FoundArchive): Promise<number | null> {
  const bytes = metadataKey === null ? null : await store.read(metadataKey);
  if (bytes === null || metadataKey === null) return null;
  try {
    return parseMetadata(bytes, metadataKey).recordCount;
  } catch (error) {
    // What is wrong with it is for `thaw validate` to tell.
    if (error instanceof ThawError) return null;
    throw error;
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
