import { parseArchiveKey, tableOfKey } from '../archive/key.ts';
import type { ArchiveMetadata } from '../archive/metadata.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { frozenObjects } from '../store/storage-class.ts';
import { readMetadata } from './archived-schema.ts';
import { type FoundArchive, type InventoryScope, takeInventory } from './inventory.ts';

/** What there is of one table in the store. */
export interface TableSummary {
  readonly database: string;
  readonly table: string;
  /**
   * That it was archived from: tables of the same name in several schemas share a folder, and only the
   * metadata tells them apart. Null where it was not asked for, or nothing tells.
   */
  readonly schema: string | null;
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
      const metadata = withRows ? await metadataOf(store, next.value) : null;
      const schema = withRows ? (metadata?.schema ?? place.schema) : null;
      const name = JSON.stringify([place.database, place.table, schema]);
      const before = tables.get(name) ?? { ...place, schema, ...nothing, rows: withRows ? 0 : null };
      tables.set(name, add(before, next.value, metadata?.recordCount ?? null));
    }
  };
  await Promise.all(Array.from({ length: withRows ? lanes : 1 }, lane));
  const ordered = [...tables.values()].sort(
    (a, b) =>
      compare(a.database, b.database) || compare(a.table, b.table) || compare(a.schema ?? '', b.schema ?? ''),
  );
  return withoutGuesses(ordered);
}

/** Archives that do not tell their schema are of the only one that the others of their table tell of. */
function withoutGuesses(tables: readonly TableSummary[]): TableSummary[] {
  const others = (one: TableSummary) =>
    tables.filter(({ database, table }) => database === one.database && table === one.table);
  const isUntold = (one: TableSummary) => one.schema === null && others(one).length === 2;
  return tables
    .filter((one) => !isUntold(one))
    .map((one) => {
      const untold = others(one).find(isUntold);
      return untold === undefined ? one : sum(one, untold);
    });
}

function sum(one: TableSummary, other: TableSummary): TableSummary {
  const days = [one.firstDay, one.lastDay, other.firstDay, other.lastDay]
    .filter((day) => day !== null)
    .sort();
  return {
    ...one,
    archives: one.archives + other.archives,
    bytes: one.bytes + other.bytes,
    firstDay: days[0] ?? null,
    lastDay: days.at(-1) ?? null,
    rows: one.rows === null ? null : one.rows + (other.rows ?? 0),
    uncounted: one.uncounted + other.uncounted,
    frozen: one.frozen + other.frozen,
  };
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

/** Null where it is not there or cannot be used. */
async function metadataOf(store: ObjectStore, archive: FoundArchive): Promise<ArchiveMetadata | null> {
  try {
    return await readMetadata(store, archive);
  } catch (error) {
    // What is wrong with it is for `thaw validate` to tell.
    if (error instanceof ThawError && error.code === 'MetadataInvalid') return null;
    throw error;
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
