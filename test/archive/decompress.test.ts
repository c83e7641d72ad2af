import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digests, readArchive } from '../../src/archive/decompress.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';

const small = Buffer.from('{"id": 1}\n{"id": 2}');
/** Too large, compressed and not, to be taken whole. */
const large = Buffer.from(
  Array.from({ length: 400_000 }, (_, n) => `{"id": ${n}, "x": "${(n * 2_654_435_761) >>> 0}"}`).join('\n'),
);
const largeGzip = gzipSync(large);

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  );
}

interface Read {
  readonly bytes: Buffer;
  readonly digests: Digests;
  readonly error: unknown;
}

async function read(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, digest = true): Promise<Read> {
  const content = readArchive(source, { digest, archive: 'a.jsonl.gz' });
  const chunks: Buffer[] = [];
  let error: unknown = null;
  try {
    for await (const chunk of content.chunks) chunks.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  return { bytes: Buffer.concat(chunks), digests: content.digests(), error };
}

const forms = [
  ['small, whole', small, gzipSync(small), 1_000],
  ['small, byte by byte', small, gzipSync(small), 1],
  ['large', large, largeGzip, 65_536],
  ['large, at once', large, largeGzip, largeGzip.length],
  ['two members', Buffer.concat([small, small]), Buffer.concat([gzipSync(small), gzipSync(small)]), 1_000],
  [
    'two members, cut anywhere',
    Buffer.concat([small, small]),
    Buffer.concat([gzipSync(small), gzipSync(small)]),
    7,
  ],
  [
    'large members',
    Buffer.concat([large, small, large]),
    Buffer.concat([largeGzip, gzipSync(small), largeGzip]),
    65_536,
  ],
  ['an empty member', small, Buffer.concat([gzipSync(''), gzipSync(small), gzipSync('')]), 1_000],
  ['a great deal of the same', Buffer.alloc(20_000_000, ' '), gzipSync(Buffer.alloc(20_000_000, ' ')), 4_096],
  ['plain', small, small, 3],
  ['plain, large', large, large, 100_000],
] as const;

test.for(forms)('decompresses and digests: %s', async ([, plain, object, size]) => {
  const { bytes, digests, error } = await read(pieces(object, size));
  expect(error).toBeNull();
  expect(bytes.equals(plain)).toBe(true);
  expect(digests).toEqual({
    compressedBytes: object.length,
    uncompressedBytes: plain.length,
    compressedSha256: sha256(object),
    jsonlSha256: sha256(plain),
  });
});

test('takes no digests where none are asked for', async () => {
  const { digests } = await read([gzipSync(small)], false);
  expect(digests).toMatchObject({
    uncompressedBytes: small.length,
    compressedSha256: null,
    jsonlSha256: null,
  });
});

describe.for([
  ['small', gzipSync(small), 1_000],
  ['large', largeGzip, 65_536],
  ['in members', Buffer.concat([gzipSync(small), gzipSync(small)]), 9],
] as const)('finds damage, having read all of the object: %s', ([, object, size]) => {
  const crc = Buffer.from(object);
  crc[object.length - 6] = (crc[object.length - 6] ?? 0) ^ 1;
  const body = Buffer.from(object);
  body[object.length >> 1] = (body[object.length >> 1] ?? 0) ^ 0x55;
  test.for([
    ['cut in the body', object.subarray(0, Math.trunc(object.length / 3))],
    ['cut in the checksum', object.subarray(0, -3)],
    ['wrong checksum', crc],
    ['byte changed', body],
    ['garbage behind', Buffer.concat([object, Buffer.from('garbage')])],
    ['zeros behind', Buffer.concat([object, Buffer.alloc(20)])],
    ['a great many zeros behind', Buffer.concat([object, Buffer.alloc(3_000_000)])],
    ['the beginning of a member behind', Buffer.concat([object, object.subarray(0, 5)])],
    ['one byte of it behind', Buffer.concat([object, object.subarray(0, 1)])],
  ] as const)('%s', async ([, damaged]) => {
    const { error, digests } = await read(pieces(damaged, size));
    expect(error).toBeInstanceOf(ThawError);
    expect(error).toMatchObject({ code: 'ArchiveCorrupt', stage: 'decompress', object: 'a.jsonl.gz' });
    expect(digests).toMatchObject({
      compressedBytes: damaged.length,
      compressedSha256: sha256(damaged),
      jsonlSha256: null,
    });
  });
});

test.for([
  ['nothing', ''],
  ['a ZIP file', 'PK\u0003\u0004....'],
  ['the beginning of the magic bytes', '\u001f'],
  ['text', 'hello'],
  ['text behind a blank', ' hello'],
  ['gzip with its first byte changed', ' \u008b\u0008'],
])('refuses what is neither gzip nor zstd nor JSON lines: %s', async ([, text = '']) => {
  expect((await read([Buffer.from(text, 'latin1')])).error).toMatchObject({ code: 'ArchiveCorrupt' });
});

test('never gives bytes for an object that was changed without saying so', async () => {
  const object = gzipSync(small);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: object.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(40),
      async (at, bits, size) => {
        const damaged = Buffer.from(object);
        damaged[at] = (damaged[at] ?? 0) ^ bits;
        const { error, bytes } = await read(pieces(damaged, size + 1));
        // The header has bytes that mean nothing: time, system, level.
        if (error === null) expect(bytes.equals(small)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test('passes an error of the source as it is', async () => {
  const failure = new ThawError('StoreUnavailable', 'gone');
  for (const size of [10, 3_000_000]) {
    const source = async function* () {
      yield largeGzip.subarray(0, size);
      throw failure;
    };
    expect((await read(source())).error).toBe(failure);
  }
});

test('closes the source when the reader goes away', async () => {
  let closed = false;
  const source = async function* () {
    try {
      for (const piece of pieces(largeGzip, 10_000)) yield piece;
    } finally {
      closed = true;
    }
  };
  for await (const chunk of readArchive(source(), { digest: true }).chunks) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(closed).toBe(true);
});

const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };
/** `small` as zstd makes it. */
const smallZstd = Buffer.from('KLUv/SQTmQAAeyJpZCI6IDF9CnsiaWQiOiAyffW9NqM=', 'base64');

test('says which Node is needed where there is no zstd', async () => {
  const { error, bytes } = await read([smallZstd]);
  if (zstdCompressSync === undefined) {
    expect(error).toMatchObject({ code: 'ConfigInvalid', hint: expect.stringContaining('22.15') });
  } else {
    expect(bytes.equals(small)).toBe(true);
  }
});
