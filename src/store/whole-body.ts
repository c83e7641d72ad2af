import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectBody, ObjectStore, ReadOptions } from './object-store.ts';

/** Objects up to this many bytes are read whole when they are opened, and so hold no connection or file. */
export const smallObject = 1024 * 1024;

/** The body itself; that of a small object in one piece, read by now. */
export async function settle(body: ObjectBody): Promise<ObjectBody> {
  return body.bytes > smallObject ? body : { ...body, chunks: onePiece(await gather(body.chunks)) };
}

/** What `ObjectStore.read` promises, by way of `open`. */
export async function readWhole(
  store: Pick<ObjectStore, 'open'>,
  key: string,
  options: ReadOptions | undefined,
): Promise<Uint8Array | null> {
  try {
    const { chunks } = await store.open(key, options);
    return await gather(chunks);
  } catch (error) {
    if (error instanceof ThawError && error.code === 'ArchiveNotFound') return null;
    throw error;
  }
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk);
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
