/** What a strict parser makes of an archive: rows up to the first line that is wrong, and what is wrong with it. */
export interface Reference {
  readonly rows: readonly ReadonlyMap<string, string | null>[];
  /** Line of each row. */
  readonly lines: readonly number[];
  readonly error: { readonly code: 'ArchiveCorrupt' | 'RowRejected'; readonly line: number } | null;
}

/** A value that was parsed: its lexeme, and the text if it is a string. */
interface Parsed {
  readonly kind: 'string' | 'number' | 'word' | 'container';
  readonly lexeme: string;
  readonly text: string;
}

const blanks = /[ \t\r]*/y;
const string = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null|NaN|-?Infinity/y;

/** Slow, plain and by the book: what the slicer is held against. `columns` are text columns. */
export function parseArchive(bytes: Buffer, columns: readonly string[]): Reference {
  const rows: Map<string, string | null>[] = [];
  const lines: number[] = [];
  const start = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
  const all = splitLines(bytes.subarray(start));
  for (const [index, line] of all.entries()) {
    const failed = (code: 'ArchiveCorrupt' | 'RowRejected') => ({
      rows,
      lines,
      error: { code, line: index + 1 },
    });
    let record: Map<string, Parsed> | null;
    try {
      // `ignoreBOM`: one that is not at the very start is a character like others.
      record = new RecordParser(
        new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line),
      ).record();
    } catch {
      return failed('ArchiveCorrupt');
    }
    if (record === null) continue;
    const row = new Map<string, string | null>();
    for (const column of columns) {
      const value = record.get(column);
      if (value === undefined) continue;
      if (value.kind === 'container' || value.text.includes('\0')) return failed('RowRejected');
      row.set(column, value.lexeme === 'null' ? null : value.text);
    }
    rows.push(row);
    lines.push(index + 1);
  }
  return { rows, lines, error: null };
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1) break;
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  if (start < bytes.length) lines.push(bytes.subarray(start));
  return lines;
}

class RecordParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The values by key, the last where one comes twice; null for a blank line. */
  record(): Map<string, Parsed> | null {
    this.#take(blanks);
    if (this.#at === this.#text.length) return null;
    const record = new Map<string, Parsed>();
    this.#object((key, value) => record.set(key, value));
    this.#take(blanks);
    if (this.#at !== this.#text.length) throw new Error('trailing');
    return record;
  }

  #object(entry: (key: string, value: Parsed) => void): void {
    this.#expect('{');
    this.#take(blanks);
    if (this.#text[this.#at] !== '}') {
      for (;;) {
        this.#take(blanks);
        const key = this.#value();
        if (key.kind !== 'string') throw new Error('key');
        this.#take(blanks);
        this.#expect(':');
        this.#take(blanks);
        entry(key.text, this.#value());
        this.#take(blanks);
        if (this.#text[this.#at] !== ',') break;
        this.#at += 1;
      }
    }
    this.#expect('}');
  }

  #array(): void {
    this.#expect('[');
    this.#take(blanks);
    if (this.#text[this.#at] !== ']') {
      for (;;) {
        this.#take(blanks);
        this.#value();
        this.#take(blanks);
        if (this.#text[this.#at] !== ',') break;
        this.#at += 1;
      }
    }
    this.#expect(']');
  }

  #value(): Parsed {
    const start = this.#at;
    const first = this.#text[start];
    if (first === '{' || first === '[') {
      if (first === '{') this.#object(() => undefined);
      else this.#array();
      const lexeme = this.#text.slice(start, this.#at);
      return { kind: 'container', lexeme, text: lexeme };
    }
    const quoted = this.#take(string);
    if (quoted !== null) {
      const text = JSON.parse(quoted) as string;
      if (/\p{Surrogate}/u.test(text)) throw new Error('half a pair');
      return { kind: 'string', lexeme: quoted, text };
    }
    const plain = this.#take(word);
    if (plain !== null) return { kind: 'word', lexeme: plain, text: plain };
    const digits = this.#take(number);
    if (digits === null) throw new Error('no value');
    return { kind: 'number', lexeme: digits, text: digits };
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw new Error(`no ${character}`);
    this.#at += 1;
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }
}
