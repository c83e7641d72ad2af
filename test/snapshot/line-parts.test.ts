import { expect, test } from 'vitest';
import { LineParts } from '../../src/snapshot/write/line-parts.ts';

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}

async function partsOf(text: string, size: number, partBytes: number): Promise<string[]> {
  const lines = new LineParts(cut(text, size), partBytes);
  const parts: string[] = [];
  while (await lines.hasMore()) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of lines.part()) chunks.push(chunk);
    parts.push(Buffer.concat(chunks).toString());
  }
  return parts;
}

test.each([1, 2, 3, 7, 100])('lines are cut at their ends however %i bytes at a time come', async (size) => {
  const text = 'aa\nbbb\nc\ndddddddd\ne\n';
  expect(await partsOf(text, size, 5)).toEqual(['aa\nbbb\n', 'c\ndddddddd\n', 'e\n']);
  expect(await partsOf(text, size, 7)).toEqual(['aa\nbbb\n', 'c\ndddddddd\n', 'e\n']);
  expect(await partsOf(text, size, 1)).toEqual(['aa\n', 'bbb\n', 'c\n', 'dddddddd\n', 'e\n']);
  expect(await partsOf(text, size, 1000)).toEqual([text]);
  expect(await partsOf('', size, 5)).toEqual([]);
});
