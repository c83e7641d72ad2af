import { ThawError } from '../contract/thaw-error.ts';
import { Backoff } from './backoff.ts';

/** Where the bytes of an object come from. */
export interface BodySource {
  /** First byte that is wanted. */
  readonly from: number;
  /** The byte behind the last. */
  readonly to: number;
  /** What to call the object in messages. */
  readonly name: string;
  /** Goes on at an offset; refuses, as `ArchiveChanged`, an object that is another one by now. */
  readonly reopen: (offset: number) => Promise<AsyncIterable<Uint8Array>>;
  /** Turns what reading raised into an error of the closed set. */
  readonly classify: (error: unknown) => unknown;
  readonly signal: AbortSignal | undefined;
}

/**
 * The bytes of an object or of a part of it to their end, over as many connections as it takes. A database that is slower
 * than the store leaves the connection idle until the store closes it, so a broken one is part of the
 * ordinary course: it is opened again where it broke, and the end of a stream is believed only when all
 * bytes came.
 *
 * @param first the connection that is open already
 */
export async function* resumableBody(
  first: AsyncIterable<Uint8Array>,
  source: BodySource,
): AsyncGenerator<Uint8Array, void, undefined> {
  const backoff = new Backoff(source.signal);
  let offset = source.from;
  let chunks: AsyncIterable<Uint8Array> | null = first;
  for (;;) {
    try {
      chunks ??= await source.reopen(offset);
      for await (const chunk of chunks) {
        offset += chunk.length;
        backoff.progressed();
        yield chunk;
      }
      if (offset === source.to) return;
      throw endedEarly(source, offset);
    } catch (error) {
      if (offset === source.to) return;
      await backoff.pause(source.classify(error));
      chunks = null;
    }
  }
}

function endedEarly({ name, to }: BodySource, offset: number): ThawError {
  const code = offset > to ? 'ArchiveChanged' : 'StoreUnavailable';
  return new ThawError(code, `${name}: ${offset} of ${to} bytes came`, { object: name });
}
