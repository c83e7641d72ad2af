import xxhash from 'xxhash-wasm';
import type { ByteQueue } from './byte-queue.ts';
import { Damage } from './damage.ts';
import { trailing } from './gunzip.ts';

// The libraries for Node either load native code or do not know blocks that refer to each other, which pg_dump and
// lz4 itself write. By the description of the frame and block formats of LZ4 1.6.2.

const frameMagic = 0x184d2204;
/** How far back a block may refer. */
const windowSize = 64 * 1024;
const minMatch = 4;

/**
 * Decompresses frames of LZ4, as many as there are, and compares their checksums where they have them.
 *
 * @throws Damage for what is cut short, damaged, or needs a dictionary
 */
export async function* unlz4(input: ByteQueue): AsyncGenerator<Buffer> {
  do {
    const magic = await input.take(4);
    if (magic.readUInt32LE(0) !== frameMagic) throw trailing();
    yield* frame(input);
  } while (!(await input.isAtEnd()));
}

interface FrameHeader {
  readonly hasBlockChecksums: boolean;
  readonly hasChecksum: boolean;
  /** Bytes of the largest block. */
  readonly blockSize: number;
}

async function* frame(input: ByteQueue): AsyncGenerator<Buffer> {
  const { h32Raw, create32 } = await xxhash();
  const { hasBlockChecksums, hasChecksum, blockSize } = await readHeader(input, h32Raw);
  const hash = hasChecksum ? create32() : null;
  const output = Buffer.allocUnsafe(windowSize + blockSize);
  /** What came before lies in front of each block, since it may refer to that. */
  let known = 0;
  for (;;) {
    const size = (await input.take(4)).readUInt32LE(0);
    if (size === 0) break;
    const bytes = size & 0x7fffffff;
    if (bytes > blockSize) throw damaged('the size of a block');
    const block = await input.take(bytes);
    if (hasBlockChecksums && (await input.take(4)).readUInt32LE(0) !== h32Raw(block))
      throw damaged('a checksum');
    const end = size > 0x7fffffff ? known + block.copy(output, known) : unpack(block, output, known);
    const chunk = Buffer.from(output.subarray(known, end));
    hash?.update(chunk);
    yield chunk;
    known = Math.min(end, windowSize);
    output.copy(output, 0, end - known, end);
  }
  if (hash !== null && (await input.take(4)).readUInt32LE(0) !== hash.digest()) throw damaged('the checksum');
}

async function readHeader(input: ByteQueue, hash: (bytes: Uint8Array) => number): Promise<FrameHeader> {
  const descriptor = await input.take(2);
  const flags = descriptor.readUInt8(0);
  const size = (descriptor.readUInt8(1) >> 4) & 7;
  if (flags >> 6 !== 1 || size < 4) throw damaged('the kind of a frame');
  if ((flags & 1) !== 0) throw new Damage('it was compressed with a dictionary of LZ4');
  const contentSize = await input.take((flags & 0x08) === 0 ? 0 : 8);
  const checksum = (await input.take(1)).readUInt8(0);
  if (checksum !== ((hash(Buffer.concat([descriptor, contentSize])) >>> 8) & 0xff)) throw damaged('a header');
  return {
    hasBlockChecksums: (flags & 0x10) !== 0,
    hasChecksum: (flags & 0x04) !== 0,
    blockSize: 2 ** (8 + 2 * size),
  };
}

/** Unpacks a block behind what is known. @returns where it ends */
function unpack(block: Buffer, output: Buffer, known: number): number {
  let at = 0;
  let to = known;
  /** A length of 15 goes on in bytes that are added to it, up to one that is not 255. */
  const length = (nibble: number): number => {
    let sum = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; sum += more) {
      more = block[at] ?? 0;
      at += 1;
    }
    return sum;
  };
  for (;;) {
    const token = block[at] ?? 0;
    at += 1;
    const literals = length(token >> 4);
    if (at + literals > block.length || to + literals > output.length) throw damaged('a block');
    block.copy(output, to, at, at + literals);
    at += literals;
    to += literals;
    // The last sequence has nothing but literals.
    if (at === block.length) return to;
    const offset = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    const matched = length(token & 15) + minMatch;
    if (offset === 0 || offset > to || to + matched > output.length || at >= block.length) {
      throw damaged('a block');
    }
    repeat(output, to, offset, matched);
    to += matched;
  }
}

/** Copies bytes that may overlap with what they become. */
function repeat(output: Buffer, to: number, offset: number, length: number): void {
  if (offset >= length) {
    output.copyWithin(to, to - offset, to - offset + length);
    return;
  }
  for (let index = to; index < to + length; index += 1) output[index] = output[index - offset] as number;
}

function damaged(what: string): Damage {
  return new Damage(`the compressed data is damaged (LZ4: ${what} is not right)`);
}
