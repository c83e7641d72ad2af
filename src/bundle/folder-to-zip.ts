import { Readable } from 'node:stream';
import yazl from 'yazl';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { badBundle } from './bundle-error.ts';
import { defaultZipLimits } from './zip.ts';

/** What a bundle is made of; anything else below the prefix is passed over. */
const bundleFile = /^([a-z][a-z0-9_]*\.jsonl|describe\.yaml|manifest\.json)$/;

/** A bundle that lies unpacked in a store. */
export interface PackedFolder {
  /** Of its files together. */
  readonly bytes: number;
  /** Its files as a ZIP. What they were when they were listed is what is packed, or `ArchiveChanged`. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Packs a bundle whose files lie below one prefix of a store as a ZIP, of which any part can be read.
 *
 * @param prefix ends in `/`
 * @throws ThawError `InputInvalid` where there is none of its files, or too many; of the store
 */
export async function folderToZip(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): Promise<PackedFolder> {
  const objects: ObjectInfo[] = [];
  let after: string | null = null;
  do {
    const page = await store.list({ prefix, after, signal });
    objects.push(...page.objects.filter(({ key }) => bundleFile.test(key.slice(prefix.length))));
    if (objects.length > defaultZipLimits.entries)
      throw badBundle(`it has more than ${defaultZipLimits.entries} files`);
    after = page.next;
  } while (after !== null);
  if (objects.length === 0) throw badBundle('below its prefix is neither describe.yaml nor {model}.jsonl');
  return {
    bytes: objects.reduce((sum, object) => sum + object.bytes, 0),
    chunks: pack(store, prefix, objects, signal),
  };
}

async function* pack(
  store: ObjectStore,
  prefix: string,
  objects: readonly ObjectInfo[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const zip = new yazl.ZipFile();
  const fail = (error: unknown) => zip.outputStream.emit('error', error);
  zip.on('error', fail);
  for (const { key, bytes, etag } of objects) {
    zip.addReadStreamLazy(key.slice(prefix.length), { size: bytes, mtime: new Date(0) }, (give) => {
      store
        .open(key, { etag, signal })
        .then(({ chunks }) => give(null, Readable.from(chunks, { objectMode: false })))
        .catch(fail);
    });
  }
  zip.end();
  for await (const chunk of zip.outputStream) yield chunk as Buffer;
}
