import { Damage } from './damage.ts';

/** Takes so many bytes at a time as are asked for from chunks that are cut anywhere. */
export class ByteQueue {
  readonly #input: AsyncIterator<Buffer>;
  /** What is left of the last chunk. */
  #chunk: Buffer = Buffer.alloc(0);

  constructor(input: AsyncIterator<Buffer>) {
    this.#input = input;
  }

  /** Tells whether nothing is left. */
  async isAtEnd(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#input.next();
      if (next.done === true) return true;
      this.#chunk = next.value;
    }
    return false;
  }

  /** The next bytes. @throws Damage where there are not so many */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      if (await this.isAtEnd()) throw new Damage('the compressed data is cut short');
      const part = this.#chunk.subarray(0, missing);
      this.#chunk = this.#chunk.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  /** Steps over bytes without holding them. @throws Damage where there are not so many */
  async skip(length: number): Promise<void> {
    for (let missing = length; missing > 0; ) {
      if (await this.isAtEnd()) throw new Damage('the compressed data is cut short');
      const step = Math.min(missing, this.#chunk.length);
      this.#chunk = this.#chunk.subarray(step);
      missing -= step;
    }
  }
}
