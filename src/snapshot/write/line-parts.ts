const newline = 10;

/** Cuts a stream of lines, without holding it, into parts of about so many bytes that end with a line. */
export class LineParts {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #partBytes: number;
  /** What comes next, read already. */
  #rest: Uint8Array | null = null;

  constructor(lines: AsyncIterable<Uint8Array>, partBytes: number) {
    this.#chunks = lines[Symbol.asyncIterator]();
    this.#partBytes = partBytes;
  }

  /** Whether there is another part. The one before has to be read to its end. */
  async hasMore(): Promise<boolean> {
    this.#rest ??= await this.#next();
    return this.#rest !== null;
  }

  /** The chunks of the next part. */
  async *part(): AsyncGenerator<Uint8Array> {
    for (let bytes = 0; ; ) {
      const chunk = this.#rest ?? (await this.#next());
      this.#rest = null;
      if (chunk === null) return;
      const end = chunk.indexOf(newline, Math.max(0, this.#partBytes - bytes - 1)) + 1;
      if (end === 0) {
        bytes += chunk.length;
        yield chunk;
        continue;
      }
      if (end < chunk.length) this.#rest = chunk.subarray(end);
      yield chunk.subarray(0, end);
      return;
    }
  }

  async #next(): Promise<Uint8Array | null> {
    const { done, value } = await this.#chunks.next();
    return done === true ? null : value;
  }
}
