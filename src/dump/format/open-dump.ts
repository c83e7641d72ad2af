import { Damage } from '../../archive/damage.ts';
import type { DumpCompression, DumpFormat } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';
import { decompressed } from './decompressed.ts';
import { sniffCompression, sniffContent, sniffedBytes } from './sniff.ts';

/** A dump being read. */
export interface OpenedDump {
  readonly compression: DumpCompression;
  readonly format: DumpFormat;
  /** Of the object as it lies in the store. */
  readonly bytes: number;
  readonly etag: string;
  /**
   * The decompressed bytes in order, to be gone through once; return from the iteration to stop early.
   *
   * Throws `ArchiveCorrupt` for wrappings that are damaged, cut short or followed by something else, which is known
   * only at the end. Errors of the store pass as they are.
   */
  readonly chunks: AsyncIterable<Buffer>;
}

/** How a dump is opened. */
export interface OpenDumpOptions {
  /** Refuses another object under the same key (`ArchiveChanged`). */
  readonly etag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the object that have come so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Called with those bytes themselves. */
  readonly onChunk?: ((chunk: Uint8Array) => void) | undefined;
}

/**
 * Opens a dump, of whatever format and wrapping it is by its bytes.
 *
 * @throws ThawError `ArchiveCorrupt` for what is empty or no dump; `InputInvalid` for what somebody has to decrypt or
 * unpack first; errors of the store
 */
export async function openDump(
  store: ArchiveStore,
  key: string,
  options: OpenDumpOptions = {},
): Promise<OpenedDump> {
  const body = await store.open(key, { etag: options.etag, signal: options.signal });
  const source = counted(body.chunks, options);
  const raw = await gather(source, 6);
  const compression = sniffCompression(raw);
  const content = decompressed(compression, continued(raw, source));
  try {
    const head = await gather(content, sniffedBytes);
    const { format, foreign } = sniffContent(head);
    if (foreign !== null) {
      const what = compression === 'none' ? foreign.what : `${foreign.what}, in ${compression}`;
      throw new ThawError(
        foreign.isDamage ? 'ArchiveCorrupt' : 'InputInvalid',
        `${key} is no dump: ${what}.`,
        {
          object: key,
          hint: foreign.hint,
        },
      );
    }
    const chunks = checked(key, continued(head, content), source);
    return { compression, format, bytes: body.bytes, etag: body.etag, chunks };
  } catch (error) {
    await content.return(undefined);
    await source.return(undefined);
    throw corruptOr(key, error);
  }
}

/** What is said of a dump whose bytes are not whole. */
export function corruptDump(key: string, what: string, cause?: unknown): ThawError {
  const hint =
    'Restore an earlier dump (`thaw dumps` lists them, --fallback takes the one before), and make a new one.';
  return new ThawError('ArchiveCorrupt', `${key}: ${what}.`, { object: key, hint, cause });
}

function corruptOr(key: string, error: unknown): unknown {
  return error instanceof Damage ? corruptDump(key, error.message, error) : error;
}

async function* checked(
  key: string,
  content: AsyncGenerator<Buffer>,
  source: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    yield* content;
  } catch (error) {
    throw corruptOr(key, error);
  } finally {
    await source.return(undefined);
  }
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  { onBytes, onChunk }: OpenDumpOptions,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    onBytes?.(bytes);
    onChunk?.(chunk);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  }
}

/** The beginning of the input: as many bytes, or all where there are fewer. */
export async function gather(input: AsyncGenerator<Buffer>, atLeast: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  while (length < atLeast) {
    const next = await input.next();
    if (next.done === true) break;
    parts.push(next.value);
    length += next.value.length;
  }
  return Buffer.concat(parts);
}

/** Puts a beginning that was taken back in front of the rest. */
export async function* continued(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}
