import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../../src/archive/byte-queue.ts';
import { Damage } from '../../src/archive/damage.ts';
import { unlz4 } from '../../src/archive/lz4.ts';

const rows = Array.from({ length: 9000 }, (_, n) => `${n % 61}\tthe same row of ${n % 7}\n`).join('');
/** `rows` in blocks that refer to each other, with all checksums, and in blocks of their own without any. */
const [linked, independent] = (await Promise.all(
  ['linked', 'independent'].map((name) => readFile(new URL(`lz4/${name}.lz4`, import.meta.url))),
)) as [Buffer, Buffer];
/** `a1B2c3`, which does not get smaller. */
const stored = Buffer.from('BCJNGHRAvQYAAIBhMUIyYzMl195tAAAAACXX3m0=', 'base64');

async function unpacked(bytes: Buffer, size: number): Promise<string> {
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };
  const parts: Buffer[] = [];
  for await (const chunk of unlz4(new ByteQueue(pieces()))) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

describe('LZ4', () => {
  test.each([1, 1000, 1_000_000])('is unpacked from chunks of %i bytes', async (size) => {
    expect(await unpacked(linked, size)).toBe(rows);
    expect(await unpacked(independent, size)).toBe(rows);
    expect(await unpacked(Buffer.concat([stored, linked, stored]), size)).toBe(`a1B2c3${rows}a1B2c3`);
  });

  test('is known to be cut short or damaged at any place', async () => {
    for (let at = 0; at < linked.length; at += 11) {
      await expect(unpacked(linked.subarray(0, at), 1_000_000)).rejects.toThrow(Damage);
      const flipped = Buffer.from(linked);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 0x04, at);
      await expect(unpacked(flipped, 1_000_000)).rejects.toThrow(Damage);
    }
    await expect(unpacked(Buffer.concat([linked, Buffer.from('more')]), 1000)).rejects.toThrow(
      'behind the end',
    );
  });
});
