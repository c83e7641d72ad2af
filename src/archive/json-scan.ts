import * as ascii from './ascii.ts';
import { Malformed } from './slice-error.ts';

/** How deep arrays and objects may be nested in a value. */
export const maxDepth = 10_000;

/** 1 for the bytes at which a scan of a string's content stops: quote, backslash and control characters. */
export const stopsString: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
stopsString[ascii.quote] = 1;
stopsString[ascii.backslash] = 1;

/** 1 for the characters that may follow a backslash, `u` aside. */
const simpleEscape = new Uint8Array(256);
for (const character of '"\\/bfnrt') simpleEscape[character.charCodeAt(0)] = 1;

/** The value of a hexadecimal digit, 255 for any other byte. */
const hexDigit = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit += 1) {
  hexDigit[digit.toString(16).charCodeAt(0)] = digit;
  hexDigit[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** What each open container is, while `skipValue` runs; 1 for an object. It never calls itself. */
const containers = new Uint8Array(maxDepth + 1);

// All functions here read bytes that are valid UTF-8 and hold a newline behind the value. JSON allows no
// newline within a token, so no scan passes it and none needs to look for the end of the buffer.

/** Steps over spaces, tabs and carriage returns; a newline ends a record and is not stepped over. */
export function skipBlanks(bytes: Uint8Array, at: number): number {
  let p = at;
  let c = bytes[p];
  while (c === ascii.space || c === ascii.tab || c === ascii.carriageReturn) {
    p += 1;
    c = bytes[p];
  }
  return p;
}

/** The index behind the closing quote of a string whose content begins at `at`. */
export function skipString(bytes: Uint8Array, at: number): number {
  let p = at;
  for (;;) {
    while (stopsString[bytes[p] as number] === 0) p += 1;
    const c = bytes[p];
    if (c === ascii.quote) return p + 1;
    if (c !== ascii.backslash)
      throw new Malformed(p, 'a control character or the end of the line in a string');
    p = skipEscape(bytes, p);
  }
}

/** The index behind an escape sequence that begins at `at` with its backslash. */
export function skipEscape(bytes: Uint8Array, at: number): number {
  const c = bytes[at + 1] as number;
  if (simpleEscape[c] === 1) return at + 2;
  return codePointOfEscape(bytes, at) > 0xffff ? at + 12 : at + 6;
}

/**
 * The code point of a `\uXXXX` escape that begins at `at`. Above U+FFFF it is a pair of them, 12 bytes
 * long instead of 6; half a pair is malformed, since no UTF-8 can stand for it.
 */
export function codePointOfEscape(bytes: Uint8Array, at: number): number {
  const unit = escapedUnit(bytes, at);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || bytes[at + 6] !== ascii.backslash) throw new Malformed(at, 'half a surrogate pair');
  const low = escapedUnit(bytes, at + 6);
  if (low < 0xdc00 || low > 0xdfff) throw new Malformed(at, 'half a surrogate pair');
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

function escapedUnit(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] !== ascii.lowerU) throw new Malformed(at, 'an unknown escape in a string');
  let unit = 0;
  for (let p = at + 2; p < at + 6; p += 1) {
    const digit = hexDigit[bytes[p] as number] as number;
    if (digit === 255) throw new Malformed(p, 'a \\u escape without four hexadecimal digits');
    unit = unit * 16 + digit;
  }
  return unit;
}

/** The index behind a number, `-Infinity` included. */
export function skipNumber(bytes: Uint8Array, at: number): number {
  let p = bytes[at] === ascii.minus ? at + 1 : at;
  if (bytes[p] === ascii.upperI && p > at) return skipWord(bytes, p, 'Infinity');
  p = bytes[p] === ascii.zero ? p + 1 : skipDigits(bytes, p);
  if (bytes[p] === ascii.dot) p = skipDigits(bytes, p + 1);
  if (bytes[p] === ascii.lowerE || bytes[p] === ascii.upperE) {
    p += 1;
    if (bytes[p] === ascii.plus || bytes[p] === ascii.minus) p += 1;
    p = skipDigits(bytes, p);
  }
  return p;
}

function skipDigits(bytes: Uint8Array, at: number): number {
  let p = at;
  while (isDigit(bytes[p] as number)) p += 1;
  if (p === at) throw new Malformed(p, 'no digit where one must be');
  return p;
}

export function isDigit(byte: number): boolean {
  return byte >= ascii.zero && byte <= ascii.nine;
}

/** The index behind `word`, which must stand at `at`. */
export function skipWord(bytes: Uint8Array, at: number, word: string): number {
  for (let i = 0; i < word.length; i += 1) {
    if (bytes[at + i] !== word.charCodeAt(i)) throw new Malformed(at + i, 'no JSON value');
  }
  return at + word.length;
}

/** The index behind a string, number or word: `true`, `false`, `null`, and Python's `NaN` and `Infinity`. */
export function skipScalar(bytes: Uint8Array, at: number): number {
  const c = bytes[at] as number;
  switch (c) {
    case ascii.quote:
      return skipString(bytes, at + 1);
    case ascii.lowerT:
      return skipWord(bytes, at, 'true');
    case ascii.lowerF:
      return skipWord(bytes, at, 'false');
    case ascii.lowerN:
      return skipWord(bytes, at, 'null');
    case ascii.upperN:
      return skipWord(bytes, at, 'NaN');
    case ascii.upperI:
      return skipWord(bytes, at, 'Infinity');
    default:
      if (c === ascii.minus || isDigit(c)) return skipNumber(bytes, at);
      throw new Malformed(at, 'no JSON value');
  }
}

/** The index behind the value at `at`, whatever it is. Checks all of it; does not recurse. */
export function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first !== ascii.braceOpen && first !== ascii.bracketOpen) return skipScalar(bytes, at);

  let depth = 0;
  let p = at;
  for (;;) {
    // Here a value begins.
    const c = bytes[p];
    if (c === ascii.braceOpen || c === ascii.bracketOpen) {
      const isObject = c === ascii.braceOpen;
      depth += 1;
      if (depth > maxDepth) throw new Malformed(p, `a value nested deeper than ${maxDepth}`);
      containers[depth] = isObject ? 1 : 0;
      p = skipBlanks(bytes, p + 1);
      if (bytes[p] !== (isObject ? ascii.braceClose : ascii.bracketClose)) {
        if (isObject) p = skipKey(bytes, p);
        continue;
      }
      p += 1;
      depth -= 1;
    } else {
      p = skipScalar(bytes, p);
    }

    // Here a value has ended, and any number of containers may end with it.
    for (;;) {
      if (depth === 0) return p;
      p = skipBlanks(bytes, p);
      const isObject = containers[depth] === 1;
      if (bytes[p] === ascii.comma) {
        p = skipBlanks(bytes, p + 1);
        if (isObject) p = skipKey(bytes, p);
        break;
      }
      if (bytes[p] !== (isObject ? ascii.braceClose : ascii.bracketClose)) {
        throw new Malformed(p, `neither a comma nor the end of the ${isObject ? 'object' : 'array'}`);
      }
      p += 1;
      depth -= 1;
    }
  }
}

/** The index of the value that belongs to the key at `at`. */
function skipKey(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== ascii.quote) throw new Malformed(at, 'no key where one must be');
  return skipColon(bytes, skipString(bytes, at + 1));
}

/** The index of the value behind the colon that comes next. */
export function skipColon(bytes: Uint8Array, at: number): number {
  const p = skipBlanks(bytes, at);
  if (bytes[p] !== ascii.colon) throw new Malformed(p, 'no colon behind a key');
  return skipBlanks(bytes, p + 1);
}
