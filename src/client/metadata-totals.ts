import { metadataKeys } from '../archive/key.ts';
import { parseMetadata } from '../archive/metadata.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** What the metadata of some archives says in all. */
export interface MetadataTotals {
  readonly rows: number;
  /** JSON lines, decompressed. */
  readonly uncompressedBytes: number;
  /** Archives whose metadata is not there, cannot be used or does not count rows: the sums leave them out. */
  readonly unknown: number;
}

/** Metadata that is read at a time: a request takes far longer than parsing what it brings. */
const atOnce = 16;

/** Adds up the metadata of archives. @throws ThawError of the store */
export async function readMetadataTotals(
  store: ObjectStore,
  keys: readonly string[],
): Promise<MetadataTotals> {
  const totals = { rows: 0, uncompressedBytes: 0, unknown: 0 };
  let begun = 0;
  const lane = async () => {
    for (let key = keys[begun++]; key !== undefined; key = keys[begun++]) {
      const metadata = await readMetadata(store, key);
      if (metadata === null || metadata.recordCount === null) totals.unknown += 1;
      totals.rows += metadata?.recordCount ?? 0;
      totals.uncompressedBytes += metadata?.uncompressedBytes ?? 0;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return totals;
}

async function readMetadata(
  store: ObjectStore,
  key: string,
): Promise<ReturnType<typeof parseMetadata> | null> {
  for (const metadataKey of metadataKeys(key)) {
    const bytes = await store.read(metadataKey);
    if (bytes === null) continue;
    try {
      return parseMetadata(bytes, metadataKey);
    } catch (error) {
      if (error instanceof ThawError && error.code === 'MetadataInvalid') return null;
      throw error;
    }
  }
  return null;
}
