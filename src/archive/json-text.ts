import * as ascii from './ascii.ts';
import { isDigit, maxDepth, stopsString } from './json-scan.ts';

/** What each open container is; 1 for an object. */
const containers = new Uint8Array(maxDepth + 1);
/** No index of the text: it is not JSON. */
const none = -1;

const wordOf = new Map([
  [ascii.lowerT, 'true'],
  [ascii.lowerF, 'false'],
  [ascii.lowerN, 'null'],
]);

/** 1 for the characters that may follow a backslash within a string of JSON, `u` and the backslash aside. */
const simpleEscape = new Uint8Array(256);
for (const character of '"/bfnrt') simpleEscape[character.charCodeAt(0)] = 1;

/**
 * Tells whether the COPY text in `copy` from `start` to `end` stands for a JSON text, by PostgreSQL's
 * grammar: a string column of json can then take it as it is. There must be room for a byte at `end`.
 *
 * In COPY text a backslash of the JSON is two, and a control character is a backslash with a letter.
 */
export function isJsonText(copy: Uint8Array, start: number, end: number): boolean {
  // A byte that no token of JSON contains ends every scan.
  copy[end] = 0;
  const behind = skipText(copy, skipBlanks(copy, start));
  return behind !== none && skipBlanks(copy, behind) === end;
}

function skipText(copy: Uint8Array, at: number): number {
  let depth = 0;
  let p = at;
  for (;;) {
    // Here a value begins.
    const c = copy[p];
    if (c === ascii.braceOpen || c === ascii.bracketOpen) {
      const isObject = c === ascii.braceOpen;
      depth += 1;
      if (depth > maxDepth) return none;
      containers[depth] = isObject ? 1 : 0;
      p = skipBlanks(copy, p + 1);
      if (copy[p] !== (isObject ? ascii.braceClose : ascii.bracketClose)) {
        if (isObject) p = skipKey(copy, p);
        if (p === none) return none;
        continue;
      }
      p += 1;
      depth -= 1;
    } else {
      p = skipScalar(copy, p);
      if (p === none) return none;
    }

    // Here a value has ended, and any number of containers may end with it.
    for (;;) {
      if (depth === 0) return p;
      p = skipBlanks(copy, p);
      const isObject = containers[depth] === 1;
      if (copy[p] === ascii.comma) {
        p = skipBlanks(copy, p + 1);
        if (isObject) p = skipKey(copy, p);
        if (p === none) return none;
        break;
      }
      if (copy[p] !== (isObject ? ascii.braceClose : ascii.bracketClose)) return none;
      p += 1;
      depth -= 1;
    }
  }
}

/** Steps over blanks. Most often there is one or none. */
function skipBlanks(copy: Uint8Array, at: number): number {
  const p = copy[at] === ascii.space ? at + 1 : at;
  const c = copy[p];
  return c === ascii.space || c === ascii.backslash ? skipManyBlanks(copy, p) : p;
}

/** All blanks but the space are escapes in COPY text. */
function skipManyBlanks(copy: Uint8Array, at: number): number {
  let p = at;
  for (;;) {
    if (copy[p] === ascii.space) {
      p += 1;
    } else if (copy[p] === ascii.backslash && isBlankLetter(copy[p + 1] as number)) {
      p += 2;
    } else {
      return p;
    }
  }
}

function isBlankLetter(letter: number): boolean {
  return letter === ascii.lowerN || letter === ascii.lowerR || letter === ascii.lowerT;
}

function skipKey(copy: Uint8Array, at: number): number {
  if (copy[at] !== ascii.quote) return none;
  let p = skipString(copy, at + 1);
  if (p === none) return none;
  p = skipBlanks(copy, p);
  return copy[p] === ascii.colon ? skipBlanks(copy, p + 1) : none;
}

function skipScalar(copy: Uint8Array, at: number): number {
  const c = copy[at] as number;
  if (c === ascii.quote) return skipString(copy, at + 1);
  if (c === ascii.minus || isDigit(c)) return skipNumber(copy, at);
  const word = wordOf.get(c);
  if (word === undefined) return none;
  for (let i = 1; i < word.length; i += 1) {
    if (copy[at + i] !== word.charCodeAt(i)) return none;
  }
  return at + word.length;
}

function skipString(copy: Uint8Array, at: number): number {
  let p = at;
  for (;;) {
    while (stopsString[copy[p] as number] === 0) p += 1;
    if (copy[p] === ascii.quote) return p + 1;
    // A backslash of the JSON is two; one with a letter is a control character, which a string cannot hold.
    if (copy[p] !== ascii.backslash || copy[p + 1] !== ascii.backslash) return none;
    const escaped = copy[p + 2] as number;
    if (simpleEscape[escaped] === 1) p += 3;
    else if (escaped === ascii.backslash && copy[p + 3] === ascii.backslash) p += 4;
    else if (escaped === ascii.lowerU && isHexadecimal(copy, p + 3)) p += 7;
    else return none;
  }
}

function isHexadecimal(copy: Uint8Array, at: number): boolean {
  for (let p = at; p < at + 4; p += 1) {
    const c = copy[p] as number;
    const letter = c | 0x20;
    if (!isDigit(c) && (letter < 0x61 || letter > 0x66)) return false;
  }
  return true;
}

function skipNumber(copy: Uint8Array, at: number): number {
  let p = copy[at] === ascii.minus ? at + 1 : at;
  p = copy[p] === ascii.zero ? p + 1 : skipDigits(copy, p);
  if (p !== none && copy[p] === ascii.dot) p = skipDigits(copy, p + 1);
  if (p !== none && (copy[p] === ascii.lowerE || copy[p] === ascii.upperE)) {
    const sign = copy[p + 1];
    p = skipDigits(copy, sign === ascii.plus || sign === ascii.minus ? p + 2 : p + 1);
  }
  return p;
}

function skipDigits(copy: Uint8Array, at: number): number {
  let p = at;
  while (isDigit(copy[p] as number)) p += 1;
  return p === at ? none : p;
}
