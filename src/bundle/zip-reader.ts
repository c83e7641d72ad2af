import { Readable } from 'node:stream';
import yauzl from 'yauzl';
import { type RandomAccess, readPart } from './random-access.ts';

/** Headers lie close together, and so do small files: one request of this size brings thousands of the central directory. */
const blockSize = 1024 * 1024;

/** Blocks that are kept: models come in another order than their files lie in. */
const keptBlocks = 8;

/** Gives yauzl the bytes of a source; small reads are answered from blocks, of which the last used are kept. */
export class ZipReader extends yauzl.RandomAccessReader {
  readonly #source: RandomAccess;
  readonly #blocks = new Map<number, Promise<Buffer>>();

  constructor(source: RandomAccess) {
    super();
    this.#source = source;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#source.stream(start, end), { objectMode: false });
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#copy(buffer, offset, length, position).then(
      () => callback(null),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** Some bytes, by way of the blocks. @throws Error beyond the end */
  async part(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    await this.#copy(buffer, 0, length, position);
    return buffer;
  }

  async #copy(buffer: Buffer, offset: number, length: number, position: number): Promise<void> {
    // Damaged headers point anywhere.
    if (position < 0 || position + length > this.#source.bytes) throw new Error('unexpected end of the file');
    for (let done = 0; done < length; ) {
      const at = position + done;
      const number = Math.floor(at / blockSize);
      const block = await this.#block(number);
      const from = at - number * blockSize;
      done += block.copy(buffer, offset + done, from, Math.min(block.length, from + length - done));
    }
  }

  #block(number: number): Promise<Buffer> {
    const known = this.#blocks.get(number);
    if (known !== undefined) {
      this.#blocks.delete(number);
      this.#blocks.set(number, known);
      return known;
    }
    const start = number * blockSize;
    const block = readPart(this.#source, start, Math.min(start + blockSize, this.#source.bytes));
    // A read that failed is not remembered.
    block.catch(() => this.#blocks.delete(number));
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size >= keptBlocks && oldest !== undefined) this.#blocks.delete(oldest);
    this.#blocks.set(number, block);
    return block;
  }
}
