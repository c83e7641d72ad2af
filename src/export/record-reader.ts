import { isUtf8 } from 'node:buffer';
import { archiverKeys } from '../archive/archiver-keys.ts';
import * as ascii from '../archive/ascii.ts';
import { skipBlanks } from '../archive/json-scan.ts';
import { type Field, RecordParts } from '../archive/record.ts';
import { BadValue, Malformed } from '../archive/slice-error.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** Takes one record: its parts, which are valid until the call returns, and the bytes that they are places in. */
export type TakeRecord = (json: Buffer, parts: RecordParts) => void;

/** Finds the records of an archive and their values, as bytes: nothing is parsed that is not asked for. */
export class RecordReader {
  readonly #archive: string;
  readonly #left: ReadonlySet<string>;
  readonly #parts = new RecordParts();
  readonly #fields = new Map<string, Field>();
  /** Bytes of a line whose end has not come yet. */
  #carry: Buffer[] = [];
  #lines = 0;
  #records = 0;

  /** @param left keys that are to be left out besides those of the archiver: their fields are `constant` */
  constructor(archive: string, left: ReadonlySet<string> = new Set()) {
    this.#archive = archive;
    this.#left = left;
  }

  get records(): number {
    return this.#records;
  }

  /** Takes decompressed bytes, cut anywhere. @throws ThawError `ArchiveCorrupt`, `RowRejected` */
  push(chunk: Buffer, take: TakeRecord): void {
    const end = chunk.lastIndexOf(ascii.newline) + 1;
    if (end > 0) this.#read(Buffer.concat([...this.#carry, chunk.subarray(0, end)]), take);
    if (end > 0) this.#carry = [];
    if (end < chunk.length) this.#carry.push(Buffer.from(chunk.subarray(end)));
  }

  /** Takes the end: a last line without newline is a line. */
  end(take: TakeRecord): void {
    if (this.#carry.length > 0) this.#read(Buffer.concat([...this.#carry, Buffer.of(ascii.newline)]), take);
    this.#carry = [];
  }

  #read(lines: Buffer, take: TakeRecord): void {
    if (!isUtf8(lines)) throw this.#corrupt('bytes that are not UTF-8 in this line or one of the next');
    let at = this.#lines === 0 && lines.indexOf('\ufeff') === 0 ? 3 : 0;
    try {
      while (at < lines.length) {
        this.#lines += 1;
        const first = skipBlanks(lines, at);
        if (lines[first] === ascii.newline) {
          at = first + 1;
          continue;
        }
        this.#parts.read(lines, first, this.#fieldOf);
        this.#records += 1;
        take(lines, this.#parts);
        at = this.#parts.end;
      }
    } catch (error) {
      if (error instanceof Malformed) throw this.#corrupt(error.message);
      if (error instanceof BadValue) throw this.#rejected(error.message);
      throw error;
    }
  }

  readonly #fieldOf = (key: string): Field => {
    const known = this.#fields.get(key);
    if (known !== undefined) return known;
    const constant = archiverKeys.has(key) || this.#left.has(key);
    const field = { key, constant, column: -1, encoder: null, counted: false, values: 0, pending: 0 };
    this.#fields.set(key, field);
    return field;
  };

  #corrupt(what: string): ThawError {
    return new ThawError('ArchiveCorrupt', `${this.#archive}: line ${this.#lines}: ${what}.`, {
      object: this.#archive,
      stage: 'slice',
      line: this.#lines,
    });
  }

  #rejected(what: string): ThawError {
    return new ThawError('RowRejected', `${this.#archive}: line ${this.#lines}: a value ${what}.`, {
      object: this.#archive,
      stage: 'slice',
      line: this.#lines,
      hint: 'Export it with --format jsonl, which takes every value as it was archived.',
    });
  }
}
