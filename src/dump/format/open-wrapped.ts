import { Damage } from '../../archive/damage.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore, ReadOptions } from '../../store/object-store.ts';
import { decompressed } from './decompressed.ts';
import { continued, gather } from './open-dump.ts';
import { sniffCompression } from './sniff.ts';

/** How it is opened. */
export interface OpenWrappedOptions extends Pick<ReadOptions, 'etag' | 'signal'> {
  /** Called with each piece of the object as it lies in the store. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** What to do about an object that is damaged. */
  readonly hint: string;
}

/**
 * The bytes of an object out of gzip, zstd, or as they are, whatever its name says.
 *
 * @throws ThawError `ArchiveCorrupt` where the wrapping is damaged or cut short, which is known only at the end; errors
 * of the store
 */
export async function* openWrapped(
  store: ArchiveStore,
  key: string,
  { hint, onBytes, ...options }: OpenWrappedOptions,
): AsyncGenerator<Buffer> {
  const body = await store.open(key, options);
  const source = buffers(body.chunks, onBytes);
  try {
    const head = await gather(source, 6);
    yield* decompressed(sniffCompression(head), continued(head, source));
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    throw new ThawError('ArchiveCorrupt', `${key}: ${error.message}.`, { object: key, hint, cause: error });
  } finally {
    await source.return(undefined);
  }
}

async function* buffers(
  chunks: AsyncIterable<Uint8Array>,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes?.(chunk.length);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  }
}
