import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectInfo } from '../../store/object-store.ts';
import { openWrapped } from '../format/open-wrapped.ts';
import { baseHint } from './hints.ts';
import type { Place } from './place.ts';

/** A member of a tar, of whatever kind. */
export interface TarEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * The members of a tar of a base backup, one after another; what is not read of one is passed over.
 *
 * @throws ThawError `ArchiveCorrupt` for what is no whole tar
 */
export async function* tarEntries(
  { store }: Place,
  { key, etag }: Pick<ObjectInfo, 'key' | 'etag'>,
  {
    signal,
    onBytes,
  }: { readonly signal?: AbortSignal | undefined; readonly onBytes?: (bytes: number) => void } = {},
): AsyncGenerator<TarEntry> {
  const entries = extract();
  const source = openWrapped(store, key, { etag, signal, onBytes, hint: baseHint });
  // A failure of the source reaches whoever reads the members.
  const feeding = pipeline(Readable.from(source, { objectMode: false }), entries).then(
    () => null,
    (error: unknown) => error,
  );
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header;
      const kind = type === 'file' || type === 'directory' || type === 'symlink' ? type : 'other';
      yield { name: name.replace(/^\.\//, ''), kind, chunks: entry as AsyncIterable<Buffer> };
      entry.resume();
    }
    const failure = await feeding;
    if (failure !== null) throw failure;
  } catch (error) {
    throw error instanceof ThawError || signal?.aborted === true ? error : damaged(key, error);
  } finally {
    entries.destroy();
    await feeding;
  }
}

function damaged(key: string, cause: unknown): ThawError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ThawError('ArchiveCorrupt', `${key} is damaged or cut short: ${reason}`, {
    object: key,
    hint: baseHint,
    cause,
  });
}
