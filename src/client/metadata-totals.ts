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

/** What the metadata of one archive says; null where it does not, cannot be used or is not there. */
export interface ArchiveFacts {
  /** That it was archived from. */
  readonly schema: string | null;
  readonly rows: number | null;
  /** JSON lines, decompressed. */
  readonly uncompressedBytes: number | null;
}

const unknown: ArchiveFacts = { schema: null, rows: null, uncompressedBytes: null };

/** Metadata that is read at a time: a request takes far longer than parsing what it brings. */
const atOnce = 16;

/** Reads the metadata of archives, and gives what it says in their order. @throws ThawError of the store */
export async function readArchiveFacts(
  store: ObjectStore,
  keys: readonly string[],
): Promise<readonly ArchiveFacts[]> {
  const facts = new Array<ArchiveFacts>(keys.length).fill(unknown);
  const places = keys.entries();
  const lane = async () => {
    for (const [place, key] of places) facts[place] = await factsOf(store, key);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return facts;
}

/** Adds up what is known of archives. */
export function totalsOf(facts: readonly ArchiveFacts[]): MetadataTotals {
  return {
    rows: facts.reduce((sum, { rows }) => sum + (rows ?? 0), 0),
    uncompressedBytes: facts.reduce((sum, each) => sum + (each.uncompressedBytes ?? 0), 0),
    unknown: facts.filter(({ rows }) => rows === null).length,
  };
}

async function factsOf(store: ObjectStore, key: string): Promise<ArchiveFacts> {
  for (const metadataKey of metadataKeys(key)) {
    const bytes = await store.read(metadataKey);
    if (bytes === null) continue;
    try {
      const { schema, recordCount, uncompressedBytes } = parseMetadata(bytes, metadataKey);
      return { schema, rows: recordCount, uncompressedBytes };
    } catch (error) {
      if (error instanceof ThawError && error.code === 'MetadataInvalid') return unknown;
      throw error;
    }
  }
  return unknown;
}
