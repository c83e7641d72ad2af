import * as ascii from '../archive/ascii.ts';

/** Counts the records of an archive: lines that hold more than blanks. Does not look at what they hold. */
export class LineCount {
  #records = 0;
  /** Whether the line that is not at its end yet holds something. */
  #isBegun = false;

  get records(): number {
    return this.#records + (this.#isBegun ? 1 : 0);
  }

  push(chunk: Buffer): void {
    for (let start = 0; start < chunk.length; ) {
      const newline = chunk.indexOf(ascii.newline, start);
      const end = newline === -1 ? chunk.length : newline;
      this.#isBegun ||= holdsContent(chunk, start, end);
      if (newline === -1) return;
      if (this.#isBegun) this.#records += 1;
      this.#isBegun = false;
      start = end + 1;
    }
  }
}

/** The first byte of a record answers it. */
function holdsContent(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] as number) > ascii.space) return true;
  return false;
}
