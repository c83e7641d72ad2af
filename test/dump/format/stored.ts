import xxhash from 'xxhash-wasm';

// Frames that hold their bytes as they are, so that tests need no programs for these formats.

const blockSize = 64 * 1024;

/** Bytes as a frame of zstd. */
export function storedZstd(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('28b52ffd0058', 'hex')];
  for (let at = 0; at === 0 || at < bytes.length; at += blockSize) {
    const block = bytes.subarray(at, at + blockSize);
    const header = Buffer.alloc(3);
    header.writeUIntLE(block.length * 8 + (at + blockSize >= bytes.length ? 1 : 0), 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

/** Bytes as a frame of LZ4, with a checksum. */
export async function storedLz4(bytes: Buffer): Promise<Buffer> {
  const { h32Raw } = await xxhash();
  const descriptor = Buffer.from('6440', 'hex');
  const parts: Buffer[] = [
    Buffer.from('04224d18', 'hex'),
    descriptor,
    Buffer.from([(h32Raw(descriptor) >>> 8) & 0xff]),
  ];
  for (let at = 0; at < bytes.length; at += blockSize) {
    const block = bytes.subarray(at, at + blockSize);
    parts.push(number(block.length + 0x80000000), block);
  }
  return Buffer.concat([...parts, number(0), number(h32Raw(bytes))]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
