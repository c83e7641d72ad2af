import * as ascii from './ascii.ts';
import { codePointOfEscape, isDigit, skipWord, stopsString } from './json-scan.ts';
import { BadValue, Malformed } from './slice-error.ts';

/**
 * What becomes of the character behind a backslash in a JSON string. `keep`: COPY text has the same
 * escape. `bare`: COPY text needs none. 0: not a simple escape.
 */
const keep = 1;
const bare = 2;
const escapeFate = new Uint8Array(256);
for (const character of '\\bfnrt') escapeFate[character.charCodeAt(0)] = keep;
for (const character of '"/') escapeFate[character.charCodeAt(0)] = bare;

/** The letter that stands for a byte behind a backslash in COPY text; 0 for bytes that stand for themselves. */
const copyEscape = new Uint8Array(256);
for (const [character, letter] of ['\bb', '\ff', '\nn', '\rr', '\tt', '\\\\'].map((pair) => [...pair])) {
  copyEscape[(character as string).charCodeAt(0)] = (letter as string).charCodeAt(0);
}

/** Bytes of a buffer that is handed out again and again; about a third more than a piece needs. */
const standardSize = 384 * 1024;
/** Buffers kept for reuse, by all slicers of the process: without it each archive made 350 KiB of garbage. */
const spare: Buffer[] = [];
const maxSpare = 64;
/** Bytes that a copy may write behind the text, since it goes by words. */
const slack = 16;

/** A buffer of at least `size` bytes, used before where possible. */
function takeBuffer(size: number): Buffer {
  if (size > standardSize) return Buffer.allocUnsafeSlow(size);
  return spare.pop() ?? Buffer.allocUnsafeSlow(standardSize);
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Gives a buffer back. The one that gives it must not look at it again. */
export function giveBuffer(buffer: Buffer): void {
  if (buffer.length === standardSize && spare.length < maxSpare) spare.push(buffer);
}

/**
 * COPY text as it grows. Methods that take JSON bytes read one value at `at`, append it, and give the
 * index behind it; they throw `Malformed` where it is none, and `BadValue` where COPY cannot take it.
 *
 * Room: `reserve(n)` promises that n bytes of JSON can be appended. No value of JSON becomes longer as
 * COPY text, so the methods that copy never look whether there is room; those that write something
 * longer than the JSON they read ask for it first with `ensure`.
 */
export class CopyText {
  /** Where the text is; replaced by a larger one when it is full. */
  bytes: Buffer = takeBuffer(standardSize);
  /** Bytes of `bytes` that are text. */
  length = 0;
  #reserved = 0;
  #view: DataView = viewOf(this.bytes);
  /** Of the JSON that is read. */
  #jsonView: DataView = viewOf(this.bytes);

  /** Makes room for what `size` bytes of JSON may become, which are read from `json` from now on. */
  reserve(json: Buffer, size: number): void {
    this.#jsonView = viewOf(json);
    this.#reserved = size + slack;
    this.ensure(0);
  }

  /** Makes room for `size` bytes, without touching what is reserved. */
  ensure(size: number): void {
    const needed = this.length + size + this.#reserved;
    if (needed <= this.bytes.length) return;
    const larger = takeBuffer(Math.max(needed, this.length > 0 ? this.bytes.length * 2 : 0));
    this.bytes.copy(larger, 0, 0, this.length);
    giveBuffer(this.bytes);
    this.bytes = larger;
    this.#view = viewOf(larger);
  }

  /** Gives the buffer with the text away, and goes on with another. */
  detach(): Buffer {
    const full = this.bytes;
    this.length = 0;
    this.bytes = takeBuffer(this.#reserved);
    this.#view = viewOf(this.bytes);
    return full;
  }

  /** Gives the buffer back; the object cannot be used any more. */
  dispose(): void {
    giveBuffer(this.bytes);
    this.bytes = Buffer.alloc(0);
  }

  /** Appends `\N`. */
  null(): void {
    this.bytes[this.length] = ascii.backslash;
    this.bytes[this.length + 1] = ascii.upperN;
    this.length += 2;
  }

  /** Appends a string, number, boolean or null as it stands; the column's input function decides the rest. */
  scalar(json: Uint8Array, at: number): number {
    const c = json[at] as number;
    if (c === ascii.quote) return this.string(json, at + 1);
    if (isDigit(c) || c === ascii.minus) return this.number(json, at);
    return this.word(json, at);
  }

  /** Appends a byte that has no escape in COPY text. */
  byte(byte: number): void {
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  /** Appends the bytes of a string up to the next quote, backslash or control character, and gives the index of that. */
  plain(json: Uint8Array, at: number): number {
    // Locals, not fields: these loops are where most of the time goes.
    const out = this.bytes;
    const view = this.#view;
    const jsonView = this.#jsonView;
    const lastWord = jsonView.byteLength - 4;
    let o = this.length;
    let p = at;
    // Four bytes at a time as long as none of them stops it; byte by byte is 10 % slower in all.
    while (p <= lastWord) {
      const word = jsonView.getInt32(p, true);
      const quotes = word ^ 0x22222222;
      const backslashes = word ^ 0x5c5c5c5c;
      const stops =
        ((word - 0x20202020) & ~word) |
        ((quotes - 0x01010101) & ~quotes) |
        ((backslashes - 0x01010101) & ~backslashes);
      if ((stops & 0x80808080) !== 0) break;
      view.setInt32(o, word, true);
      o += 4;
      p += 4;
    }
    let c = json[p] as number;
    while (stopsString[c] === 0) {
      out[o] = c;
      o += 1;
      p += 1;
      c = json[p] as number;
    }
    this.length = o;
    return p;
  }

  /** Appends the string whose content begins at `at`. */
  string(json: Uint8Array, at: number): number {
    let p = at;
    for (;;) {
      p = this.plain(json, p);
      const c = json[p];
      if (c === ascii.quote) return p + 1;
      if (c !== ascii.backslash) {
        throw new Malformed(p, 'a control character or the end of the line in a string');
      }
      p = this.#escape(json, p);
    }
  }

  #escape(json: Uint8Array, at: number): number {
    const escaped = json[at + 1] as number;
    const fate = escapeFate[escaped];
    if (fate === bare) {
      this.byte(escaped);
      return at + 2;
    }
    if (fate === keep) {
      this.byte(ascii.backslash);
      this.byte(escaped);
      return at + 2;
    }
    const codePoint = codePointOfEscape(json, at);
    this.#codePoint(codePoint);
    return codePoint > 0xffff ? at + 12 : at + 6;
  }

  #codePoint(codePoint: number): void {
    if (codePoint === 0) throw new BadValue('holds U+0000, which PostgreSQL cannot store in text');
    if (codePoint < 0x80) {
      this.#byte(codePoint);
    } else if (codePoint < 0x800) {
      this.#raw(0xc0 | (codePoint >> 6), 0x80 | (codePoint & 63));
    } else if (codePoint < 0x10000) {
      this.#raw(0xe0 | (codePoint >> 12), 0x80 | ((codePoint >> 6) & 63), 0x80 | (codePoint & 63));
    } else {
      this.#raw(0xf0 | (codePoint >> 18), 0x80 | ((codePoint >> 12) & 63));
      this.#raw(0x80 | ((codePoint >> 6) & 63), 0x80 | (codePoint & 63));
    }
  }

  #byte(byte: number): void {
    const letter = copyEscape[byte] as number;
    if (letter === 0) this.#raw(byte);
    else this.#raw(ascii.backslash, letter);
  }

  #raw(...bytes: number[]): void {
    for (const byte of bytes) {
      this.bytes[this.length] = byte;
      this.length += 1;
    }
  }

  /** Appends the number at `at`, digit by digit as it was written: no number type in between, so nothing is lost. */
  number(json: Uint8Array, at: number): number {
    const out = this.bytes;
    let o = this.length;
    let p = at;
    let c = json[p] as number;
    if (c === ascii.minus) {
      out[o] = c;
      o += 1;
      p += 1;
      c = json[p] as number;
      if (c === ascii.upperI) {
        this.length = o;
        return this.word(json, p);
      }
    }
    const first = p;
    while (isDigit(c)) {
      out[o] = c;
      o += 1;
      p += 1;
      c = json[p] as number;
    }
    if (p === first || (json[first] === ascii.zero && p > first + 1)) {
      throw new Malformed(first, 'a number that JSON does not have');
    }
    this.length = o;
    if (c !== ascii.dot && c !== ascii.lowerE && c !== ascii.upperE) return p;
    return this.#fraction(json, p);
  }

  #fraction(json: Uint8Array, at: number): number {
    let p = at;
    if (json[p] === ascii.dot) {
      this.#raw(ascii.dot);
      p = this.#digits(json, p + 1);
    }
    if (json[p] === ascii.lowerE || json[p] === ascii.upperE) {
      this.#raw(json[p] as number);
      p += 1;
      const sign = json[p] as number;
      if (sign === ascii.plus || sign === ascii.minus) {
        this.#raw(sign);
        p += 1;
      }
      p = this.#digits(json, p);
    }
    return p;
  }

  #digits(json: Uint8Array, at: number): number {
    let p = at;
    let c = json[p] as number;
    while (isDigit(c)) {
      this.bytes[this.length] = c;
      this.length += 1;
      p += 1;
      c = json[p] as number;
    }
    if (p === at) throw new Malformed(p, 'no digit where one must be');
    return p;
  }

  /** Appends `null` as NULL, the other words of JSON and Python as they stand. */
  word(json: Uint8Array, at: number): number {
    switch (json[at]) {
      case ascii.lowerN:
        this.null();
        return skipWord(json, at, 'null');
      case ascii.lowerT:
        return this.#copied(json, at, skipWord(json, at, 'true'));
      case ascii.lowerF:
        return this.#copied(json, at, skipWord(json, at, 'false'));
      case ascii.upperN:
        return this.#copied(json, at, skipWord(json, at, 'NaN'));
      case ascii.upperI:
        return this.#copied(json, at, skipWord(json, at, 'Infinity'));
      case ascii.braceOpen:
      case ascii.bracketOpen:
        throw new BadValue('is an array or object, which its type does not have');
      default:
        throw new Malformed(at, 'no JSON value');
    }
  }

  #copied(json: Uint8Array, start: number, end: number): number {
    for (let p = start; p < end; p += 1) this.#raw(json[p] as number);
    return end;
  }

  /** Appends UTF-8 text as it is meant, with the escapes of COPY. */
  escaped(text: Uint8Array, start: number, end: number): void {
    this.ensure((end - start) * 2);
    for (let p = start; p < end; p += 1) this.#byte(text[p] as number);
  }

  /** Appends a value that was put together as a string. */
  text(text: string): void {
    if (text.includes('\0')) throw new BadValue('holds U+0000, which PostgreSQL cannot store in text');
    const utf8 = Buffer.from(text, 'utf8');
    this.escaped(utf8, 0, utf8.length);
  }
}
