import * as ascii from './ascii.ts';
import type { CopyText } from './copy-text.ts';
import type { Encoder, TextOf } from './encoder.ts';
import { skipBlanks, skipString } from './json-scan.ts';
import type { JsonValue } from './json-value.ts';
import { BadValue, Malformed } from './slice-error.ts';

/** PostgreSQL's limit. */
const maxDimensions = 6;

/**
 * An array whose elements need more than a copy of their bytes.
 *
 * @param depth How many JSON arrays an element is made of itself: 1 for a point, 2 for a box, 0 for most.
 */
export function arrayText(element: TextOf, delimiter: string, depth: number): TextOf {
  const literal = (items: readonly JsonValue[], dimensions: number): string => {
    const texts = items.map((item) => {
      // No element that is an array itself has a null in it, but a dimension may have nothing else.
      const isDimension = Array.isArray(item) && (dimensions > 1 || item.includes(null));
      return isDimension ? literal(item, dimensions - 1) : itemText(element(item));
    });
    return `{${texts.join(delimiter)}}`;
  };
  return (value) => {
    if (value === null || typeof value === 'string') return value;
    if (!Array.isArray(value)) throw new BadValue('is no array');
    return literal(value, depthOf(value) - depth);
  };
}

/**
 * An array whose elements are arrays in their own right, as those of a domain over an array are. The archive
 * does not tell them from a second dimension, so it is taken to have one.
 */
export function arrayOfArraysText(element: TextOf, delimiter: string): TextOf {
  return (value) => {
    if (value === null || typeof value === 'string') return value;
    if (!Array.isArray(value)) throw new BadValue('is no array');
    return `{${value.map((item: JsonValue) => itemText(element(item))).join(delimiter)}}`;
  };
}

function itemText(text: string | null): string {
  return text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

function depthOf(value: JsonValue): number {
  return Array.isArray(value)
    ? value.reduce((most: number, item: JsonValue) => Math.max(most, 1 + depthOf(item)), 1)
    : 0;
}

/** An array whose elements are copied as they stand, in one pass over its bytes. */
export const encodePlainArray: Encoder = (out, json, at) => {
  if (json[at] !== ascii.bracketOpen) return out.scalar(json, at);
  return writeArray(out, json, at, 1);
};

function writeArray(out: CopyText, json: Buffer, at: number, dimension: number): number {
  if (dimension > maxDimensions) throw new BadValue('is an array of more dimensions than PostgreSQL has');
  append(out, ascii.braceOpen);
  let p = skipBlanks(json, at + 1);
  if (json[p] !== ascii.bracketClose) {
    for (;;) {
      p = skipBlanks(json, writeItem(out, json, p, dimension));
      if (json[p] === ascii.bracketClose) break;
      if (json[p] !== ascii.comma) throw new Malformed(p, 'neither a comma nor the end of the array');
      append(out, ascii.comma);
      p = skipBlanks(json, p + 1);
    }
  }
  append(out, ascii.braceClose);
  return p + 1;
}

function writeItem(out: CopyText, json: Buffer, at: number, dimension: number): number {
  switch (json[at]) {
    case ascii.bracketOpen:
      return writeArray(out, json, at, dimension + 1);
    case ascii.quote:
      return writeQuoted(out, json, at);
    case ascii.lowerN: {
      const end = out.word(json, at);
      out.length -= 2;
      out.bytes.write('NULL', out.length, 'latin1');
      out.length += 4;
      return end;
    }
    default:
      return out.scalar(json, at);
  }
}

/** Always in quotes, so that no text is taken for NULL or for a delimiter. */
function writeQuoted(out: CopyText, json: Buffer, at: number): number {
  const end = skipString(json, at + 1);
  if (json.subarray(at, end).includes(ascii.backslash)) {
    const text = JSON.parse(json.toString('utf8', at, end)) as string;
    out.text(`"${text.replaceAll(/["\\]/g, '\\$&')}"`);
    return end;
  }
  append(out, ascii.quote);
  out.string(json, at + 1);
  append(out, ascii.quote);
  return end;
}

function append(out: CopyText, byte: number): void {
  out.bytes[out.length] = byte;
  out.length += 1;
}
