import { isUtf8 } from 'node:buffer';
import type { ColumnNote } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { archiverKeys } from './archiver-keys.ts';
import * as ascii from './ascii.ts';
import { isSameOrder, isSameSet } from './column-order.ts';
import type { ArchiveColumn } from './column-type.ts';
import { type CopyPiece, PieceMaker } from './copy-piece.ts';
import { type Encoder, encodeScalar } from './encoder.ts';
import { type EncoderOptions, encoderOf } from './encoder-table.ts';
import { skipBlanks, skipValue } from './json-scan.ts';
import type { Literal } from './literal.ts';
import { type Field, RecordParts } from './record.ts';
import { RecordShape } from './record-shape.ts';
import { BadValue, Malformed } from './slice-error.ts';
import { checkUtf8 } from './utf8.ts';
import { ValueNotes } from './value-notes.ts';

/** How an archive is sliced. */
export interface SlicerOptions extends EncoderOptions {
  /** Names the archive in errors. */
  readonly archive?: string | undefined;
  /** What places in it are places of, in messages. @default 'the decompressed archive' */
  readonly placesOf?: string | undefined;
  /** Keys to pass over without counting them, such as those of generated columns. */
  readonly ignoredKeys?: ReadonlySet<string> | undefined;
  /** Lines (1-based) to leave out, since PostgreSQL refused them before; each is given to `onReject`. */
  readonly skipLines?: ReadonlySet<number> | undefined;
  /** Takes the lines that are left out, instead of a `RowRejected` for the first. */
  readonly onReject?: ((reject: RejectedLine) => void) | undefined;
  /** Longest line that is accepted. @default 1 GiB, the longest value that PostgreSQL has */
  readonly maxLineBytes?: number | undefined;
}

/** A line that was left out. */
export interface RejectedLine {
  /** 1-based. */
  readonly line: number;
  /** Why; null for one of `skipLines`. */
  readonly error: ThawError | null;
  /** The line without its newline; to be copied if it is kept. */
  readonly bytes: Buffer;
}

const noOrder: readonly number[] = [];

/** Rows are handed out when they are this many bytes: COPY wants chunks of 64 KiB at least. */
const pieceSize = 64 * 1024;
/** Bytes of JSON sliced at once; with `pieceSize` they fit into one buffer of CopyText. */
const regionSize = 256 * 1024;
/** Room for a line at first; a longer one doubles it. */
const carrySize = 16 * 1024;
/** Keys that are remembered. PostgreSQL has 1,600 columns at most; what is beyond is passed over uncounted. */
const maxFields = 10_000;

/**
 * Makes COPY text of the lines of an archive: never a string nor a number in between, only bytes.
 *
 * Any input gives exactly what a strict JSON parser would (Python's `NaN` and `Infinity` aside), or a
 * ThawError: `ArchiveCorrupt` for what is not JSON, `RowRejected` for a value that its column cannot
 * take, each with its line, neither with content. `RestartNested` is a signal, no failure. After
 * anything thrown the slicer is done; `dispose` it.
 *
 * A record whose keys, their order and the bytes between them are those of the record before takes the
 * fast way: the bytes before each value are compared as a whole, values are copied while they are
 * scanned, and the archiver's own keys at the end are compared with the end of the record before. On
 * the rows of bench/slicer.ts this does 630 MB/s of JSON, JSON.parse alone 320.
 */
export class Slicer {
  readonly #columns: readonly ArchiveColumn[];
  readonly #options: SlicerOptions;
  readonly #fields = new Map<string, Field>();
  readonly #pieces = new PieceMaker();
  readonly #out = this.#pieces.out;
  readonly #parts = new RecordParts();
  readonly #notes = new ValueNotes();
  #shape: RecordShape | null = null;
  /** Another order of the same columns, met in the record before. */
  #otherOrder = noOrder;

  /** Holds the bytes of a line whose end has not come yet; used again for the next one. */
  #carry: Buffer = Buffer.alloc(0);
  #carried = 0;
  /** Offset in the decompressed stream of the next byte to slice. */
  #offset = 0;

  /** Of the buffer being sliced. */
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the line being sliced begins in its buffer, and where its row does in the COPY text. */
  #lineStart = 0;
  #rowStart = 0;
  /** The field being encoded, for errors. */
  #current: Field | null = null;
  #rows = 0;
  #lines = 0;

  /**
   * @param columns The columns that take values; no two have the same key. All others keep their defaults.
   * @throws ThawError `SchemaIncompatible` for a column of a type that no archived value can be written to.
   */
  constructor(columns: readonly ArchiveColumn[], options: SlicerOptions = {}) {
    this.#columns = columns;
    this.#options = options;
    for (const [index, column] of columns.entries()) {
      const encoder = encoderOf(column, options, (kind) => this.#notes.add(index, kind));
      for (const key of [column.key].flat()) this.#addField(key, index, encoder);
    }
  }

  /** Data lines so far, those left out included. */
  get rows(): number {
    return this.#rows;
  }

  /** 1-based number of the last line begun, blank ones counted. */
  get lines(): number {
    return this.#lines;
  }

  /** The keys met that no column takes, with the number of their values other than null. */
  get unknownKeys(): ReadonlyMap<string, number> {
    const unknown = new Map<string, number>();
    for (const field of this.#fields.values()) {
      if (field.counted) unknown.set(field.key, field.values);
    }
    return unknown;
  }

  /** The columns, by their names in the table, with values that are not or may not be what they were. */
  get columnNotes(): ColumnNote[] {
    return this.#notes
      .counts()
      .map(({ column, kind, values }) => ({ column: this.#columns[column]?.name ?? null, kind, values }));
  }

  /** Takes decompressed bytes, cut anywhere; gives the pieces that became full. Keeps nothing of `chunk`. */
  push(chunk: Buffer): CopyPiece[] {
    let start = 0;
    if (this.#carried > 0) {
      start = chunk.indexOf(ascii.newline) + 1;
      this.#carryOver(start === 0 ? chunk : chunk.subarray(0, start));
      if (start === 0) return [];
      this.#sliceCarried();
    }
    const end = chunk.lastIndexOf(ascii.newline) + 1;
    while (start < end) {
      const regionEnd = endOfRegion(chunk, start, end);
      this.#sliceRegion(chunk, start, regionEnd);
      start = regionEnd;
    }
    if (start < chunk.length) this.#carryOver(chunk.subarray(start));
    return this.#pieces.take();
  }

  /** Takes the end of the input: a last line without newline is a line. Gives all that is left. */
  end(): CopyPiece[] {
    if (this.#carried > 0) {
      this.#carryOver(Buffer.of(ascii.newline));
      this.#sliceCarried();
    }
    this.#pieces.finishPiece();
    this.dispose();
    return this.#pieces.take();
  }

  /** Gives the slicer's own buffers back, where it does not come to its end. Pieces handed out stay valid. */
  dispose(): void {
    this.#out.dispose();
    this.#carry = Buffer.alloc(0);
    this.#carried = 0;
  }

  #carryOver(bytes: Buffer): void {
    const max = this.#options.maxLineBytes ?? 2 ** 30;
    const needed = this.#carried + bytes.length;
    if (needed > max) throw this.#corrupt(this.#lines + 1, this.#offset, `longer than ${max} bytes`);
    if (needed > this.#carry.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#carry.length, carrySize));
      this.#carry.copy(larger, 0, 0, this.#carried);
      this.#carry = larger;
    }
    bytes.copy(this.#carry, this.#carried);
    this.#carried = needed;
  }

  #sliceCarried(): void {
    const line = this.#carry.subarray(0, this.#carried);
    this.#carried = 0;
    this.#sliceRegion(line, 0, line.length);
  }

  /** Slices some whole lines. */
  #sliceRegion(json: Buffer, start: number, end: number): void {
    this.#out.reserve(json, end - start);
    this.#view = new DataView(json.buffer, json.byteOffset, json.byteLength);
    // One look at all bytes, at 10 GB/s and more, spares every scan below from decoding UTF-8.
    const valid = isUtf8(json.subarray(start, end));
    let p = this.#offset === 0 && hasByteOrderMark(json, start) ? start + 3 : start;
    while (p < end) {
      try {
        this.#sliceLines(json, p, end, valid);
        p = end;
      } catch (error) {
        p = this.#recover(error, json, start);
      }
    }
    this.#offset += end - start;
    if (this.#out.length >= pieceSize) this.#pieces.finishPiece();
  }

  #sliceLines(json: Buffer, start: number, end: number, valid: boolean): void {
    const { skipLines } = this.#options;
    let p = start;
    while (p < end) {
      this.#lines += 1;
      this.#lineStart = p;
      this.#rowStart = this.#out.length;
      if (!valid) checkUtf8(json, p);
      if (skipLines?.has(this.#lines) === true) {
        p = this.#leaveOut(json, null);
        continue;
      }
      const next = this.#sliceExpected(json, p);
      p = next === -1 ? this.#sliceAny(json, p) : next;
    }
  }

  /** Slices a line that looks like the one before; gives -1, with nothing done, for any other. */
  #sliceExpected(json: Buffer, start: number): number {
    const shape = this.#shape;
    if (shape === null) return -1;
    const { fields, literals, tail } = shape;
    const view = this.#view;
    let p = start;
    for (let i = 0; i < fields.length; i += 1) {
      const literal = literals[i] as Literal;
      if (!literal.isAt(view, p)) return this.#unexpected();
      p += literal.length;
      // More blanks than before: no encoder steps over them.
      if ((json[p] as number) <= ascii.space) return this.#unexpected();
      const field = fields[i] as Field;
      if (field.encoder === null) p = passOver(json, p, field);
      else p = this.#writeValue(json, p, field, field.encoder);
    }
    if (!tail.isAt(view, p)) return this.#unexpected();
    for (const field of shape.counted) field.values += field.pending;
    this.#otherOrder = noOrder;
    this.#finishRow();
    return p + tail.length;
  }

  #unexpected(): -1 {
    this.#rewind();
    return -1;
  }

  /** Gives up what was written of a row. */
  #rewind(): void {
    this.#out.length = this.#rowStart;
    this.#notes.drop();
  }

  #writeValue(json: Buffer, at: number, field: Field, encoder: Encoder): number {
    const out = this.#out;
    this.#current = field;
    const end = encoder === encodeScalar ? out.scalar(json, at) : encoder(out, json, at);
    out.bytes[out.length] = ascii.tab;
    out.length += 1;
    return end;
  }

  #finishRow(): void {
    this.#pieces.finishRow(this.#lines);
    this.#notes.keep();
    this.#rows += 1;
  }

  /** Slices any line the long way, and expects the next one to look like it. */
  #sliceAny(json: Buffer, start: number): number {
    const first = skipBlanks(json, start);
    if (json[first] === ascii.newline) return first + 1;

    const parts = this.#parts;
    parts.read(json, start, this.#fieldOf);
    const { fields } = parts;
    const last = lastOfEachKey(fields);
    const order = [...last.keys()].map((field) => field.column).filter((column) => column !== -1);
    this.#arrange(order);
    if (last.size === fields.length && isSameOrder(order, this.#pieces.columns)) {
      this.#shape = new RecordShape(json, parts);
    }

    const places = new Map([...last].map(([field, place]) => [field.column, place]));
    for (const column of this.#pieces.columns) {
      const place = places.get(column) as number;
      const field = fields[place] as Field;
      this.#writeValue(json, parts.valueStarts[place] as number, field, field.encoder as Encoder);
    }
    for (const [field, place] of last) {
      if (field.encoder === null) passOver(json, parts.valueStarts[place] as number, field);
      if (field.counted) field.values += field.pending;
    }
    this.#finishRow();
    return parts.end;
  }

  /**
   * Decides on the columns of a row, given those of its record in its order. Other columns end the piece,
   * and so the COPY; another order of the same ones does only when it comes a second time in a row, so
   * that a writer without a fixed order costs no COPY for each row.
   */
  #arrange(order: readonly number[]): void {
    const { columns } = this.#pieces;
    if (isSameOrder(order, columns)) {
      this.#otherOrder = noOrder;
      return;
    }
    if (isSameSet(order, columns) && !isSameOrder(order, this.#otherOrder)) {
      this.#otherOrder = order;
      return;
    }
    this.#pieces.finishPiece();
    this.#pieces.columns = order;
    this.#shape = null;
    this.#rowStart = this.#out.length;
  }

  readonly #fieldOf = (key: string): Field => this.#fields.get(key) ?? this.#addField(key, -1, null);

  #addField(key: string, column: number, encoder: Encoder | null): Field {
    const constant = column === -1 && archiverKeys.has(key);
    const counted = column === -1 && !constant && this.#options.ignoredKeys?.has(key) !== true;
    const field: Field = { key, column, encoder, constant, counted, values: 0, pending: 0 };
    if (this.#fields.size < maxFields) this.#fields.set(key, field);
    return field;
  }

  /** Makes of an error in a line what the caller is to know, or goes on behind the line; `regionStart` is where `#offset` is. */
  #recover(error: unknown, json: Buffer, regionStart: number): number {
    if (error instanceof Malformed) {
      throw this.#corrupt(this.#lines, this.#offset + error.at - regionStart, error.message);
    }
    if (!(error instanceof BadValue)) throw error;
    try {
      return this.#sliceAgain(json, this.#offset + this.#lineStart - regionStart);
    } catch (worse) {
      return this.#recover(worse, json, regionStart);
    }
  }

  /**
   * Slices the line at `#lineStart` the long way after one of its values was found bad, since of a key that
   * comes twice the other may be the one that counts; leaves the line out if it is not.
   *
   * @param offset of the line's first byte in the decompressed stream
   */
  #sliceAgain(json: Buffer, offset: number): number {
    this.#rewind();
    try {
      return this.#sliceAny(json, this.#lineStart);
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      this.#rewind();
      return this.#leaveOut(json, this.#rejection(error, offset));
    }
  }

  #rejection(error: BadValue, offset: number): ThawError {
    const column = this.#columns[this.#current?.column ?? -1]?.name ?? '';
    const message = `${this.#place(this.#lines, offset)}: column ${column} ${error.message}.`;
    return new ThawError('RowRejected', message, {
      object: this.#options.archive,
      stage: 'slice',
      line: this.#lines,
      column,
      hint: error.hint,
    });
  }

  /** Leaves out the line at `#lineStart`, and gives the index behind it. It must be JSON all the same. */
  #leaveOut(json: Buffer, error: ThawError | null): number {
    const parts = this.#parts;
    parts.read(json, this.#lineStart, this.#fieldOf);
    const { onReject } = this.#options;
    if (onReject === undefined) {
      if (error !== null) throw error;
    } else {
      onReject({ line: this.#lines, error, bytes: json.subarray(this.#lineStart, parts.end - 1) });
    }
    this.#rows += 1;
    return parts.end;
  }

  #corrupt(line: number, offset: number, what: string): ThawError {
    return new ThawError('ArchiveCorrupt', `${this.#place(line, offset)}: ${what}.`, {
      object: this.#options.archive,
      stage: 'slice',
      line,
    });
  }

  #place(line: number, offset: number): string {
    return `Line ${line}, byte ${offset} of ${this.#options.placesOf ?? 'the decompressed archive'}`;
  }
}

/** Where a region that begins at `start` ends: with a line, at about `regionSize`, at `end` at last. */
function endOfRegion(chunk: Buffer, start: number, end: number): number {
  if (end - start <= regionSize) return end;
  const before = chunk.lastIndexOf(ascii.newline, start + regionSize - 1) + 1;
  return before > start ? before : chunk.indexOf(ascii.newline, start + regionSize) + 1;
}

function hasByteOrderMark(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
}

/** Steps over a value that no column takes. */
function passOver(json: Buffer, at: number, field: Field): number {
  field.pending = json[at] === ascii.lowerN ? 0 : 1;
  return skipValue(json, at);
}

/** Each field with its place, in the order of first places; of a key that comes twice the last value counts, as in JSON.parse. */
function lastOfEachKey(fields: readonly Field[]): Map<Field, number> {
  return new Map(fields.map((field, place) => [field, place]));
}
