import * as ascii from '../../archive/ascii.ts';
import { ThawError } from '../../contract/thaw-error.ts';

/** Some bytes of a table's rows: JSON lines, cut anywhere. Each table of the object has one piece at least. */
export interface TablePiece {
  /** As the object names it. */
  readonly table: string;
  /** Each row ends in a newline, and no other newline is there; blank lines may be. */
  readonly lines: Buffer;
}

type Place =
  | 'begin'
  | 'first key'
  | 'key'
  | 'in key'
  | 'colon'
  | 'array'
  | 'first row'
  | 'row'
  | 'in row'
  | 'behind row'
  | 'behind array'
  | 'end';

/** What must come next, for messages. */
const expected: Readonly<Record<Place, string>> = {
  begin: 'no object of tables',
  'first key': 'neither the name of a table nor the end of the object',
  key: 'no name of a table where one must be',
  'in key': 'the name of a table is not JSON',
  colon: 'no colon behind the name of a table',
  array: 'no array of rows behind the name of a table',
  'first row': 'neither a row nor the end of the array',
  row: 'no row, which is an object, where one must be',
  'in row': 'a line break within a string',
  'behind row': 'neither a comma nor the end of the array behind a row',
  'behind array': 'neither a comma nor the end of the object behind a table',
  end: 'more behind the end of the object',
};

/** Names of PostgreSQL have 63 bytes, and a schema may stand before; escaped, each byte may be six. */
const longestName = 1_024;

/** 1 for the bytes at which a scan of a row stops outside of its strings. */
const stops = new Uint8Array(256);
for (const byte of [
  ascii.quote,
  ascii.braceOpen,
  ascii.braceClose,
  ascii.bracketOpen,
  ascii.bracketClose,
  ascii.newline,
]) {
  stops[byte] = 1;
}

/**
 * Reads an object of arrays, `{"table": [{"column": value}]}`, in pieces of any size and in whatever way it is
 * spaced, and gives the rows of each table as JSON lines. It holds nothing but the name being read, so the object
 * may be of any size. Where a row ends is found here; that it is JSON is found by the slicer.
 *
 * The bytes are changed in place: what stands between rows becomes the newline between lines, and a newline
 * within a row a space.
 */
export class TableObject {
  readonly #object: string;
  readonly #tables = new Map<string, number>();
  #place: Place = 'begin';
  #table = '';
  #name: number[] = [];
  /** Containers that are open within the row. */
  #depth = 0;
  #inString = false;
  /** The next byte belongs to an escape. */
  #isEscaped = false;
  /** Bytes before the chunk. */
  #offset = 0;

  /** @param object names it in errors */
  constructor(object: string) {
    this.#object = object;
  }

  /** The tables so far, in their order, each with the number of its rows. */
  get tables(): ReadonlyMap<string, number> {
    return this.#tables;
  }

  /**
   * Takes the next bytes, which are changed and which the pieces are parts of.
   *
   * @throws ThawError `ArchiveCorrupt`, which tells where, and never what is there
   */
  push(chunk: Buffer): TablePiece[] {
    const pieces: TablePiece[] = [];
    let start = this.#isWithinTable ? 0 : -1;
    let at = 0;
    while (at < chunk.length) {
      if (this.#place === 'in row') {
        at = this.#scanRow(chunk, at);
        continue;
      }
      const wasWithin = this.#isWithinTable;
      this.#step(chunk, at);
      at += 1;
      if (!wasWithin && this.#isWithinTable) start = at;
      if (wasWithin && !this.#isWithinTable) {
        pieces.push({ table: this.#table, lines: chunk.subarray(start, at) });
        start = -1;
      }
    }
    if (start !== -1 && start < chunk.length)
      pieces.push({ table: this.#table, lines: chunk.subarray(start) });
    this.#offset += chunk.length;
    return pieces;
  }

  /** Takes the end of the bytes. @throws ThawError `ArchiveCorrupt` where the object has not ended */
  end(): void {
    if (this.#place !== 'end') throw this.#corrupt('it ends before the object does', 0);
  }

  get #isWithinTable(): boolean {
    const place = this.#place;
    return place === 'first row' || place === 'row' || place === 'in row' || place === 'behind row';
  }

  /** Goes on within a row, and gives the index behind its end or that of the chunk. */
  #scanRow(chunk: Buffer, start: number): number {
    let p = start;
    while (p < chunk.length) {
      if (this.#inString) {
        p = this.#scanString(chunk, p);
        continue;
      }
      while (p < chunk.length && stops[chunk[p] as number] === 0) p += 1;
      if (p === chunk.length) break;
      const c = chunk[p] as number;
      if (c === ascii.quote) this.#inString = true;
      else if (c === ascii.newline) chunk[p] = ascii.space;
      else this.#depth += c === ascii.braceOpen || c === ascii.bracketOpen ? 1 : -1;
      p += 1;
      if (this.#depth === 0) {
        this.#place = 'behind row';
        break;
      }
    }
    return p;
  }

  #scanString(chunk: Buffer, start: number): number {
    let p = start;
    for (; p < chunk.length; p += 1) {
      const c = chunk[p] as number;
      // Made a space, it would be JSON.
      if (c === ascii.newline) throw this.#corrupt(expected['in row'], p);
      if (this.#isEscaped) this.#isEscaped = false;
      else if (c === ascii.backslash) this.#isEscaped = true;
      else if (c === ascii.quote) {
        this.#inString = false;
        return p + 1;
      }
    }
    return p;
  }

  /** Takes a byte between rows. */
  #step(chunk: Buffer, at: number): void {
    const c = chunk[at] as number;
    if (this.#place === 'in key') {
      this.#stepKey(c, at);
      return;
    }
    if (c === ascii.space || c === ascii.tab || c === ascii.carriageReturn || c === ascii.newline) {
      if (this.#isWithinTable) chunk[at] = ascii.space;
      return;
    }
    const next = this.#next(c, at);
    if (next === null) throw this.#corrupt(expected[this.#place], at);
    if (this.#isWithinTable && c !== ascii.braceOpen) chunk[at] = ascii.newline;
    this.#place = next;
  }

  /** Where a byte other than a blank leads; null where it must not be. */
  #next(c: number, at: number): Place | null {
    switch (this.#place) {
      case 'begin':
        return c === ascii.braceOpen ? 'first key' : this.#markAt(c, at);
      case 'first key':
        if (c === ascii.braceClose) return 'end';
        return c === ascii.quote ? 'in key' : null;
      case 'key':
        return c === ascii.quote ? 'in key' : null;
      case 'colon':
        return c === ascii.colon ? 'array' : null;
      case 'array':
        return c === ascii.bracketOpen ? 'first row' : null;
      case 'first row':
        if (c === ascii.bracketClose) return 'behind array';
        return this.#rowAt(c);
      case 'row':
        return this.#rowAt(c);
      case 'behind row':
        if (c === ascii.comma) return 'row';
        return c === ascii.bracketClose ? 'behind array' : null;
      case 'behind array':
        if (c === ascii.comma) return 'key';
        return c === ascii.braceClose ? 'end' : null;
      default:
        return null;
    }
  }

  /** A byte order mark may come first. */
  #markAt(c: number, at: number): Place | null {
    return c === [0xef, 0xbb, 0xbf][this.#offset + at] ? 'begin' : null;
  }

  #rowAt(c: number): Place | null {
    if (c !== ascii.braceOpen) return null;
    this.#depth = 1;
    this.#tables.set(this.#table, (this.#tables.get(this.#table) ?? 0) + 1);
    return 'in row';
  }

  #stepKey(c: number, at: number): void {
    if (c !== ascii.quote || this.#isEscaped) {
      this.#isEscaped = c === ascii.backslash && !this.#isEscaped;
      this.#name.push(c);
      if (this.#name.length > longestName) throw this.#corrupt('the name of a table is too long', at);
      return;
    }
    this.#table = this.#parseName(at);
    this.#name = [];
    if (this.#tables.has(this.#table)) throw this.#corrupt('a table comes twice', at);
    this.#tables.set(this.#table, 0);
    this.#place = 'colon';
  }

  #parseName(at: number): string {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        Uint8Array.from(this.#name),
      );
      return JSON.parse(`"${text}"`) as string;
    } catch {
      throw this.#corrupt(expected['in key'], at);
    }
  }

  #corrupt(what: string, at: number): ThawError {
    const place = this.#offset + at;
    return new ThawError('ArchiveCorrupt', `${this.#object}: ${what}, at byte ${place}.`, {
      object: this.#object,
      hint: 'A snapshot is an object with an array of rows for each table: {"table": [{"column": value}]}.',
    });
  }
}
