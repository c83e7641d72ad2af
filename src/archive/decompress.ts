import zlib from 'node:zlib';
import { ThawError } from '../contract/thaw-error.ts';
import { ByteQueue } from './byte-queue.ts';
import { Damage } from './damage.ts';
import { Digest } from './digest.ts';
import { damageOr, gunzip, trailing } from './gunzip.ts';
import { isZstd, unzstd } from './zstd.ts';

/** What an archive turned out to be. */
export interface Digests {
  readonly compressedBytes: number;
  /** What came out, up to where the archive is damaged if it is. */
  readonly uncompressedBytes: number;
  /** SHA-256 of the object as it lies in the store, in lower-case hexadecimal; null if not asked for. */
  readonly compressedSha256: string | null;
  /** SHA-256 of the JSON lines; null if not asked for, and for an archive that cannot be decompressed. */
  readonly jsonlSha256: string | null;
}

/** An archive being decompressed. */
export interface ArchiveContent {
  /**
   * The decompressed bytes in order, to be gone through once.
   *
   * Throws `ArchiveCorrupt` for an object that is damaged or cut short, but only after all of it was read,
   * so that `digests` tells by then whether it is the object that was archived. Errors of the source pass
   * as they are. To stop early, return from the iteration; the source is then closed.
   */
  readonly chunks: AsyncIterable<Buffer>;
  /** Sizes and checksums of what has passed so far: of everything, once `chunks` has ended or thrown `ArchiveCorrupt`. */
  digests(): Digests;
}

/** How an archive is read. */
export interface ReadArchiveOptions {
  /** Whether SHA-256 is taken of both streams. */
  readonly digest: boolean;
  /** Names the archive in errors. */
  readonly archive?: string | undefined;
}

type Source = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
type Format = 'gzip' | 'zstd' | 'plain';

/**
 * Objects up to this size are taken whole, and decompressed at one go and in this thread where the output
 * has at most `wholeOutput`: 0.24 ms for the usual 33 KiB, while a stream takes 0.68 ms of CPU.
 */
const wholeInput = 1024 * 1024;
const wholeOutput = 4 * 1024 * 1024;

/** A byte order mark, blank lines, a record. */
const plainBeginning = /^(?:\xef\xbb\xbf)?[ \t\r\n]*(?:\{|$)/;

/** Decompresses an archive: gzip or zstd of any number of members or frames, or plain JSON lines, told apart by their first bytes. */
export function readArchive(source: Source, options: ReadArchiveOptions): ArchiveContent {
  const compressed = new Digest(options.digest);
  const uncompressed = new Digest(options.digest);
  let isCorrupt = false;
  const chunks = async function* (): AsyncGenerator<Buffer> {
    const input = passing(source, compressed);
    try {
      for await (const chunk of decompressed(input)) {
        uncompressed.add(chunk);
        yield chunk;
      }
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      isCorrupt = true;
      while (!(await input.next()).done);
      throw corrupt(error, options.archive);
    } finally {
      await input.return(undefined);
    }
  };
  return {
    chunks: chunks(),
    digests: () => ({
      compressedBytes: compressed.bytes,
      uncompressedBytes: uncompressed.bytes,
      compressedSha256: compressed.sha256(),
      jsonlSha256: isCorrupt ? null : uncompressed.sha256(),
    }),
  };
}

function corrupt(damage: Damage, archive: string | undefined): ThawError {
  const message = `${archive ?? 'The archive'}: ${damage.message}.`;
  return new ThawError('ArchiveCorrupt', message, { object: archive, stage: 'decompress', cause: damage });
}

async function* passing(source: Source, digest: Digest): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    digest.add(chunk);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  }
}

async function* decompressed(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const { head, isWhole } = await gather(input);
  const format = formatOf(head);
  if (format === 'plain') {
    yield head;
    yield* rest(input);
    return;
  }
  if (format === 'zstd') {
    yield* unzstd(new ByteQueue(continued(head, input)));
    return;
  }
  const whole = isWhole ? gunzipWhole(head) : null;
  if (whole !== null) yield whole;
  else yield* gunzip(continued(head, input));
}

/** The beginning of the input: all of it, if it is small. */
async function gather(input: AsyncGenerator<Buffer>): Promise<{ head: Buffer; isWhole: boolean }> {
  const parts: Buffer[] = [];
  let length = 0;
  while (length <= wholeInput) {
    const next = await input.next();
    if (next.done === true) return { head: joined(parts), isWhole: true };
    parts.push(next.value);
    length += next.value.length;
  }
  return { head: joined(parts), isWhole: false };
}

function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

async function* continued(head: Buffer, input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rest(input);
}

/** What is left of the input. Unlike `yield*`, leaves it open when the reader goes away. */
async function* rest(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  for (;;) {
    const next = await input.next();
    if (next.done === true) return;
    yield next.value;
  }
}

function formatOf(head: Buffer): Format {
  if (head.length === 0) throw new Damage('the object is empty');
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (isZstd(head)) return 'zstd';
  if (plainBeginning.test(head.toString('latin1', 0, 64))) return 'plain';
  throw new Damage('the object is neither gzip nor zstd nor JSON lines');
}

/** Decompresses an object at one go; null if it is too large for that. */
function gunzipWhole(object: Buffer): Buffer | null {
  // The last four bytes of a gzip member are the length of what it holds: a hint, since it may be wrong.
  const hint = object.length < 18 ? 0 : object.readUInt32LE(object.length - 4);
  if (hint > wholeOutput) return null;
  try {
    // One byte more than needed, so that zlib sees the end without asking for a second buffer.
    const size = Math.max(hint + 1, 1024);
    const options = { chunkSize: size, maxOutputLength: wholeOutput, info: true };
    // With `info` the engine comes along, which the types do not know; it tells how much of the input it took.
    const { buffer, engine } = zlib.gunzipSync(object, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (engine.bytesWritten !== object.length) throw trailing();
    return buffer;
  } catch (error) {
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE')) return null;
    throw damageOr(error);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return (error as { code?: unknown }).code === code;
}
