import type { ObjectStore } from '../store/object-store.ts';
import type { RandomAccess } from './random-access.ts';

/** What an object is now. */
export interface ObjectVersion {
  readonly bytes: number;
  readonly etag: string;
}

/** Where objects are read. */
export type ReadableStore = Pick<ObjectStore, 'open'>;

/** Asks what an object is now. @throws ThawError of the store */
export async function readVersion(
  store: ReadableStore,
  key: string,
  signal: AbortSignal,
): Promise<ObjectVersion> {
  const { bytes, etag, chunks } = await store.open(key, { to: 1, signal });
  // Its first byte was read for its size and entity tag only.
  for await (const _ of chunks) break;
  return { bytes, etag };
}

/** A version of an object, read by ranges: that is what is read, or `ArchiveChanged`. */
export function openObject(store: ReadableStore, key: string, { bytes, etag }: ObjectVersion): RandomAccess {
  return {
    bytes,
    stream: (start, end) => readRange(store, key, { etag, from: start, to: end }),
    close: async () => {},
  };
}

async function* readRange(
  store: ReadableStore,
  key: string,
  range: { readonly etag: string; readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array> {
  if (range.to <= range.from) return;
  const { chunks } = await store.open(key, range);
  yield* chunks;
}
