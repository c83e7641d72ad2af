import { Decompress } from 'fzstd';
import xxhash from 'xxhash-wasm';
import type { ByteQueue } from './byte-queue.ts';
import { Damage } from './damage.ts';

// Node's own zstd, from 22.15 on, takes a stream that is cut short for a whole one, and refuses a second
// frame. So frames and blocks are stepped through here, by RFC 8878, and only what is in them is left to
// the library, which compares no checksums either. This does 100 MB/s.

const frameMagic = 0xfd2fb528;
/** The last four bits may be anything. */
const skippableMagic = 0x184d2a50;
/** A frame may ask for as much memory as its window is; zstd itself refuses more than this unless it is told otherwise. */
const maxWindow = 128 * 1024 * 1024;
const maxBlock = 128 * 1024;

/** Tells whether bytes begin like a frame of zstd. */
export function isZstd(head: Buffer): boolean {
  return head.length >= 4 && isMagic(head.readUInt32LE(0));
}

function isMagic(magic: number): boolean {
  return magic === frameMagic || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === skippableMagic;
}

/**
 * Decompresses zstd frames, as many as there are, and compares their lengths and checksums where they
 * have them.
 *
 * @throws Damage for what is cut short, damaged, or needs a dictionary or a window of more than 128 MiB
 */
export async function* unzstd(input: ByteQueue): AsyncGenerator<Buffer> {
  while (!(await input.isAtEnd())) {
    const magic = await input.take(4);
    const value = magic.readUInt32LE(0);
    if (!isMagic(value)) throw new Damage('there is something behind the end of the compressed data');
    if (isSkippable(value)) await input.skip((await input.take(4)).readUInt32LE(0));
    else yield* frame(input, magic);
  }
}

interface FrameHeader {
  readonly bytes: Buffer;
  /** Bytes of the decompressed frame; null where the header does not tell. */
  readonly contentSize: number | null;
  readonly hasChecksum: boolean;
}

async function* frame(input: ByteQueue, magic: Buffer): AsyncGenerator<Buffer> {
  const header = await readHeader(input, magic);
  const hash = header.hasChecksum ? (await xxhash()).create64() : null;
  const output: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => void output.push(chunk));
  let begun: Buffer = header.bytes;
  let length = 0;
  for (let isLast = false; !isLast; ) {
    const block = await readBlock(input);
    const checksum = block.isLast && hash !== null ? await input.take(4) : null;
    decode(decoder, Buffer.concat([begun, block.bytes, checksum ?? Buffer.alloc(0)]), block.isLast);
    begun = Buffer.alloc(0);
    for (const chunk of output.splice(0)) {
      hash?.update(chunk);
      length += chunk.length;
      if (chunk.length > 0) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    }
    // The lower half of the hash; what was yielded may be used only once the archive has ended.
    if (checksum !== null && BigInt(checksum.readUInt32LE(0)) !== BigInt.asUintN(32, hash?.digest() ?? 0n)) {
      throw new Damage('the compressed data is damaged (the checksum of a zstd frame does not match)');
    }
    isLast = block.isLast;
  }
  if (header.contentSize !== null && header.contentSize !== length) {
    throw new Damage('the compressed data is damaged (a zstd frame has another length than it says)');
  }
}

function decode(decoder: Decompress, bytes: Uint8Array, isLast: boolean): void {
  try {
    decoder.push(bytes, isLast);
  } catch (error) {
    throw new Damage(`the compressed data is damaged (${(error as Error).message})`);
  }
}

async function readHeader(input: ByteQueue, magic: Buffer): Promise<FrameHeader> {
  const descriptor = await input.take(1);
  const flags = descriptor.readUInt8(0);
  const isSingleSegment = (flags & 0x20) !== 0;
  if ((flags & 0x08) !== 0)
    throw new Damage('the compressed data is damaged (a zstd frame of a kind that is not known)');
  const window = await input.take(isSingleSegment ? 0 : 1);
  const dictionary = await input.take([0, 1, 2, 4][flags & 3] ?? 0);
  if (dictionary.some((byte) => byte !== 0)) throw new Damage('it was compressed with a dictionary of zstd');
  const size = await input.take([isSingleSegment ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0);
  const contentSize = readContentSize(size);
  const windowSize = isSingleSegment ? (contentSize ?? 0) : readWindowSize(window.readUInt8(0));
  if (windowSize > maxWindow) {
    throw new Damage(
      `it was compressed by zstd with a window of ${Math.ceil(windowSize / 2 ** 20)} MiB, and 128 MiB is the most that is read`,
    );
  }
  return {
    bytes: Buffer.concat([magic, descriptor, window, dictionary, size]),
    contentSize,
    hasChecksum: (flags & 0x04) !== 0,
  };
}

function readWindowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readContentSize(size: Buffer): number | null {
  switch (size.length) {
    case 1:
      return size.readUInt8(0);
    case 2:
      return size.readUInt16LE(0) + 256;
    case 4:
      return size.readUInt32LE(0);
    case 8:
      return Number(size.readBigUInt64LE(0));
    default:
      return null;
  }
}

async function readBlock(input: ByteQueue): Promise<{ readonly bytes: Buffer; readonly isLast: boolean }> {
  const header = await input.take(3);
  const value = header.readUIntLE(0, 3);
  const isRun = ((value >> 1) & 3) === 1;
  const size = value >> 3;
  if (size > maxBlock) throw new Damage('the compressed data is damaged (a zstd block is too large)');
  const content = await input.take(isRun ? 1 : size);
  return { bytes: Buffer.concat([header, content]), isLast: (value & 1) === 1 };
}
