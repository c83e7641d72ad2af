import { open } from 'node:fs/promises';

/** Bytes of which any part can be read: a file, or an object of a store. */
export interface RandomAccess {
  /** Size in bytes. */
  readonly bytes: number;
  /** The bytes from `start` (inclusive) to `end` (exclusive). To stop early, return from the iteration. */
  stream(start: number, end: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** A file of this machine. */
export async function openFile(path: string): Promise<RandomAccess> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  return {
    bytes: size,
    stream: (start, end) =>
      end > start ? file.createReadStream({ start, end: end - 1, autoClose: false }) : emptyStream(),
    close: () => file.close(),
  };
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {}

/** Reads a part whole. */
export async function readPart(source: RandomAccess, start: number, end: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.stream(start, end)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
