import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
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

/** `small` as zstd makes it: with a checksum, and without one. */
const smallZstd = Buffer.from('KLUv/SQTmQAAeyJpZCI6IDF9CnsiaWQiOiAyffW9NqM=', 'base64');
const bareZstd = Buffer.from('KLUv/QBYmQAAeyJpZCI6IDF9CnsiaWQiOiAyfQ==', 'base64');
/** A frame that means nothing and is stepped over. */
const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const rows = Buffer.from(
  Array.from({ length: 20_000 }, (_, n) => `{"id": ${n}, "note": "row ${n % 997} of ${n % 13}"}`).join('\n'),
);
/** `rows` as `zstd -19` makes it of a file, and `zstd -1` of a stream whose length it does not know. */
const [rowsZstd, streamedZstd] = (await Promise.all(
  ['rows', 'streamed'].map((name) => readFile(new URL(`zstd/${name}.zst`, import.meta.url))),
)) as [Buffer, Buffer];

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
  ['zstd, whole', small, smallZstd, 1_000],
  ['zstd, byte by byte', small, smallZstd, 1],
  ['zstd without a checksum', small, bareZstd, 5],
  ['zstd of many blocks', rows, rowsZstd, 10_000],
  ['zstd of a stream', rows, streamedZstd, 65_536],
  [
    'zstd frames',
    Buffer.concat([rows, small, small]),
    Buffer.concat([rowsZstd, skippable, bareZstd, smallZstd]),
    777,
  ],
  ['zstd behind what means nothing', small, Buffer.concat([skippable, smallZstd, skippable]), 3],
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
  ['zstd, small', smallZstd, 7],
  ['zstd, streamed', streamedZstd, 4_096],
  ['zstd, in frames', Buffer.concat([bareZstd, rowsZstd]), 65_536],
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

test.for([
  ['a dictionary', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 9, 0, 0, 1]), 'a dictionary of zstd'],
  [
    'a window of 2 GiB',
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0]),
    'a window of 2048 MiB',
  ],
  [
    'more than it says',
    Buffer.concat([smallZstd.subarray(0, 5), Buffer.of(20), smallZstd.subarray(6)]),
    'another length',
  ],
] as const)('refuses zstd that has %s', async ([, object, what]) => {
  const { error } = await read([object]);
  expect(error).toMatchObject({ code: 'ArchiveCorrupt', message: expect.stringContaining(what) });
});

test.for([
  ['gzip', gzipSync(small)],
  ['zstd', smallZstd],
] as const)('never gives bytes for an object that was changed without saying so: %s', async ([, object]) => {
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
