import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { type Bundle, readBundle } from './bundle.ts';
import type { BundleEntry } from './bundle-entry.ts';
import { badBundle } from './bundle-error.ts';
import { defaultZipLimits, type ZipLimits } from './zip.ts';

/**
 * Opens a bundle that lies unpacked in a store: `describe.yaml`, `manifest.json` and a `{model}.jsonl` for each
 * model, below one prefix. What the files were when they were listed is what is read, or `ArchiveChanged`.
 *
 * @param prefix ends in `/`
 * @throws ThawError `InputInvalid` for files that are none of a bundle, or too many of them; of the store
 */
export async function openFolder(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
  limits: ZipLimits = defaultZipLimits,
): Promise<Bundle> {
  const entries: BundleEntry[] = [];
  let total = 0;
  let after: string | null = null;
  do {
    const page = await store.list({ prefix, after, signal });
    for (const object of page.objects) {
      total += object.bytes;
      if (entries.length >= limits.entries || total > limits.totalBytes) {
        throw badBundle(`${prefix} holds more than ${limits.entries} files or ${limits.totalBytes} bytes`);
      }
      entries.push(entryOf(store, prefix, object, signal));
    }
    after = page.next;
  } while (after !== null);
  return readBundle(entries, async () => {});
}

function entryOf(
  store: ObjectStore,
  prefix: string,
  { key, bytes, etag }: ObjectInfo,
  signal: AbortSignal,
): BundleEntry {
  return {
    name: key.slice(prefix.length),
    bytes,
    open: async () => buffersOf((await store.open(key, { etag, signal })).chunks),
  };
}

async function* buffersOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
