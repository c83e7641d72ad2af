import type { ObjectStore } from '../store/object-store.ts';
import type { RandomAccess } from './random-access.ts';

/**
 * An object of a store, read by ranges. What it was when it was opened is what is read, or `ArchiveChanged`.
 *
 * @throws ThawError of the store
 */
export async function openObject(
  store: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<RandomAccess> {
  const { bytes, etag, chunks } = await store.open(key, { to: 1, signal });
  // Its first byte was read for its size and entity tag only.
  for await (const _ of chunks) break;
  return {
    bytes,
    stream: (start, end) => readRange(store, key, { etag, from: start, to: end, signal }),
    close: async () => {},
  };
}

async function* readRange(
  store: ObjectStore,
  key: string,
  range: { readonly etag: string; readonly from: number; readonly to: number; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  if (range.to <= range.from) return;
  const { chunks } = await store.open(key, range);
  yield* chunks;
}
