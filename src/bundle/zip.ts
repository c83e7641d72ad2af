import { pipeline, Transform, type TransformCallback } from 'node:stream';
import { crc32, inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import { ThawError } from '../contract/thaw-error.ts';
import type { BundleEntry } from './bundle-entry.ts';
import { badBundle } from './bundle-error.ts';
import type { RandomAccess } from './random-access.ts';
import { ZipReader } from './zip-reader.ts';

/** What a ZIP may be at most: what is beyond is refused before anything of it is read. */
export interface ZipLimits {
  readonly entries: number;
  /** Bytes of all entries together, decompressed. */
  readonly totalBytes: number;
  /** Decompressed to compressed bytes, of an entry of more than 1 MiB. */
  readonly ratio: number;
}

/** Rows of JSON compress to a tenth, at most to a hundredth; deflate could reach 1,032. */
export const defaultZipLimits: ZipLimits = {
  entries: 20_010,
  totalBytes: 256 * 1024 ** 3,
  ratio: 400,
};

/** A ZIP whose directory was read and found harmless. */
export interface ZipArchive {
  readonly entries: readonly BundleEntry[];
  close(): Promise<void>;
}

/** Bytes up to which an entry is decompressed at one go, which takes a fraction of the time of streams. */
const smallEntry = 256 * 1024;
/** Compressed bytes below which a high ratio does no harm. */
const ratioMatters = 1024 * 1024;
const stored = 0;
const deflated = 8;
/** The kind of a file in the upper half of Unix's attributes. */
const kindMask = 0o170000;
const directory = 0o040000;
const regularFile = 0o100000;

/**
 * Reads the central directory of a ZIP (zip64 too) and checks every name and size in it. Streams are decompressed
 * one by one, when they are opened; nothing is unpacked to disk.
 *
 * @throws ThawError `InputInvalid` for what is no ZIP, names that lead out of it or are there twice, links,
 *   encrypted entries, methods other than deflate, and what exceeds the limits
 */
export async function openZip(
  source: RandomAccess,
  limits: ZipLimits = defaultZipLimits,
): Promise<ZipArchive> {
  const reader = new ZipReader(source);
  const zip = await told(
    yauzl.fromRandomAccessReaderPromise(reader, source.bytes, {
      lazyEntries: true,
      autoClose: false,
      strictFileNames: true,
      validateEntrySizes: true,
    }),
  );
  if (zip.entryCount > limits.entries) {
    throw badBundle(`it has ${zip.entryCount} entries, and at most ${limits.entries} are taken`);
  }
  const entries: BundleEntry[] = [];
  const names = new Set<string>();
  let total = 0;
  for (const entry of await told(allEntries(zip))) {
    refuse(entry, limits, source);
    const name = entry.fileName;
    // Case is ignored on some machines: two names that differ in it only are one there.
    const folded = name.toLowerCase();
    if (names.has(folded)) throw badBundle(`the name ${shown(name)} is there twice`);
    names.add(folded);
    total += entry.uncompressedSize;
    if (total > limits.totalBytes) throw badBundle(`it holds more than ${limits.totalBytes} bytes`);
    if (name.endsWith('/')) continue;
    entries.push({ name, bytes: entry.uncompressedSize, open: () => openEntry(zip, reader, entry) });
  }
  return { entries, close: () => source.close() };
}

async function allEntries(zip: yauzl.ZipFile): Promise<yauzl.Entry[]> {
  const entries: yauzl.Entry[] = [];
  for await (const entry of zip.eachEntry()) entries.push(entry);
  return entries;
}

/** What no bundle needs and hostile files use. */
function refuse(entry: yauzl.Entry, { ratio }: ZipLimits, source: RandomAccess): void {
  const { fileName, compressedSize, uncompressedSize } = entry;
  const name = shown(fileName);
  if (/\p{Cc}/u.test(fileName)) throw badBundle('a name holds control characters');
  if (entry.isEncrypted()) throw badBundle(`${name} is encrypted`, 'Make the bundle without a password.');
  if (entry.compressionMethod !== stored && entry.compressionMethod !== deflated) {
    throw badBundle(`${name} is compressed by method ${entry.compressionMethod}; only deflate is taken`);
  }
  const kind = (entry.externalFileAttributes >>> 16) & kindMask;
  if (kind !== 0 && kind !== regularFile && kind !== directory) throw badBundle(`${name} is no plain file`);
  if (compressedSize > source.bytes) throw badBundle(`${name} is larger than the whole file`);
  if (uncompressedSize > ratioMatters && uncompressedSize > compressedSize * ratio) {
    throw badBundle(`${name} expands to more than ${ratio} times its size`);
  }
}

async function openEntry(
  zip: yauzl.ZipFile,
  reader: ZipReader,
  entry: yauzl.Entry,
): Promise<AsyncIterable<Buffer>> {
  if (Math.max(entry.compressedSize, entry.uncompressedSize) <= smallEntry)
    return readSmall(zip, reader, entry);
  const compressed = await told(zip.openReadStreamPromise(entry));
  const checked = new CheckedBytes(entry);
  // Both ends are closed, whichever fails or is left early.
  pipeline(compressed, checked, () => {});
  return readChecked(checked);
}

async function* readSmall(zip: yauzl.ZipFile, reader: ZipReader, entry: yauzl.Entry): AsyncGenerator<Buffer> {
  const { fileDataStart } = await told(zip.readLocalFileHeaderPromise(entry, { minimal: true }));
  const compressed = await told(reader.part(fileDataStart, entry.compressedSize));
  const bytes = entry.compressionMethod === stored ? compressed : inflated(entry, compressed);
  if (bytes.length !== entry.uncompressedSize) throw otherSize(entry);
  if (crc32(bytes) !== entry.crc32) throw otherCrc(entry);
  if (bytes.length > 0) yield bytes;
}

/** No more than the directory says is taken. */
function inflated(entry: yauzl.Entry, compressed: Buffer): Buffer {
  try {
    return inflateRawSync(compressed, { maxOutputLength: Math.max(1, entry.uncompressedSize) });
  } catch (error) {
    throw error instanceof RangeError ? otherSize(entry) : translated(error);
  }
}

function otherSize({ fileName }: yauzl.Entry): ThawError {
  return badBundle(`${shown(fileName)} is damaged: its size is another`);
}

function otherCrc({ fileName }: yauzl.Entry): ThawError {
  return badBundle(`${shown(fileName)} is damaged: its CRC-32 is another`);
}

async function* readChecked(stream: CheckedBytes): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw translated(error);
  }
}

/** Compares an entry with its CRC-32, which yauzl does not; sizes yauzl compares itself. */
class CheckedBytes extends Transform {
  readonly #entry: yauzl.Entry;
  #crc = 0;

  constructor(entry: yauzl.Entry) {
    super();
    this.#entry = entry;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#crc = crc32(chunk, this.#crc);
    callback(null, chunk);
  }

  override _flush(callback: TransformCallback): void {
    const wrong = this.#crc !== this.#entry.crc32;
    callback(wrong ? otherCrc(this.#entry) : null);
  }
}

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translated(error);
  }
}

/** What yauzl and zlib say is about the file; what the store says stays. */
function translated(error: unknown): unknown {
  if (error instanceof ThawError || !(error instanceof Error)) return error;
  if (isZipFault(error)) return badBundle(`it cannot be read: ${sentence(error.message)}`);
  return error;
}

function isZipFault(error: Error): boolean {
  if (!('code' in error)) return true;
  return String(error.code).startsWith('Z_');
}

/** The names that yauzl quotes may be hostile, and long. */
function sentence(message: string): string {
  const text = message.split('\n', 1)[0] ?? '';
  return [...text]
    .map((letter) => (letter < ' ' || letter > '~' ? '?' : letter))
    .join('')
    .slice(0, 200);
}

function shown(name: string): string {
  return JSON.stringify(sentence(name));
}
