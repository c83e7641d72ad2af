import * as ascii from './ascii.ts';
import type { CopyText } from './copy-text.ts';
import type { Encoder } from './encoder.ts';
import { skipString } from './json-scan.ts';
import { type JsonValue, scalarText } from './json-value.ts';
import { BadValue } from './slice-error.ts';

const message = 'is not base64, which the archiver writes bytes in';
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The value of a base64 digit, 255 for any other byte. */
const digitOf = new Uint8Array(256).fill(255);
for (const [digit, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries()) {
  digitOf[character.charCodeAt(0)] = digit;
}
const hexOf = Uint8Array.from('0123456789abcdef', (character) => character.charCodeAt(0));

/**
 * The bytes of a base64 text. PostgreSQL would take the text itself for a `bytea` without a word, so
 * what is not base64 to the last character is refused.
 */
export function bytesOf(value: JsonValue): Buffer {
  const text = scalarText(value);
  if (typeof value !== 'string' || !base64.test(text)) throw new BadValue(message);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new BadValue(message);
  return bytes;
}

/** `bytea` within an array or composite: `\x` and hexadecimal digits. */
export function byteaText(value: JsonValue): string | null {
  return value === null ? null : `\\x${bytesOf(value).toString('hex')}`;
}

/**
 * `"char"`, archived as base64 of its one byte. PostgreSQL before 16 cannot read a byte above 127 in any
 * text, and stores a backslash without a word.
 */
export function charText(value: JsonValue): string | null {
  if (value === null) return null;
  const bytes = bytesOf(value);
  const byte = bytes[0];
  if (bytes.length > 1) throw new BadValue('is longer than one byte');
  if (byte === undefined || byte === 0) return '';
  if (byte > 127) throw new BadValue('is a byte above 127, which cannot be written as text');
  return String.fromCharCode(byte);
}

/** `bytea`, from base64 to hexadecimal digits without anything in between. */
export const encodeBytea: Encoder = (out, json, at) => {
  if (json[at] !== ascii.quote) {
    if (json[at] === ascii.lowerN) return out.word(json, at);
    throw new BadValue(message);
  }
  const end = skipString(json, at + 1);
  writeHex(out, json, at + 1, end - 1);
  return end;
};

function writeHex(out: CopyText, json: Buffer, start: number, end: number): void {
  const length = end - start;
  if (length % 4 !== 0) throw new BadValue(message);
  let padding = 0;
  if (length > 0 && json[end - 1] === 0x3d) padding = json[end - 2] === 0x3d ? 2 : 1;

  out.ensure(3 + (length / 4) * 6);
  const { bytes } = out;
  // `\x`, whose backslash COPY wants twice.
  bytes.write('\\\\x', out.length, 'latin1');
  let o = out.length + 3;
  const digitsEnd = end - padding;
  let bits = 0;
  let count = 0;
  let invalid = 0;
  for (let p = start; p < digitsEnd; p += 1) {
    const digit = digitOf[json[p] as number] as number;
    invalid |= digit;
    bits = (bits << 6) | digit;
    count += 1;
    if (count === 4) {
      for (let shift = 20; shift >= 0; shift -= 4) {
        bytes[o] = hexOf[(bits >> shift) & 15] as number;
        o += 1;
      }
      bits = 0;
      count = 0;
    }
  }
  // Of the last digits before the padding only whole bytes count; the bits left over are zero.
  const spare = count * 6 - (count === 0 ? 0 : count - 1) * 8;
  if (invalid > 63 || (count > 0 && (bits & ((1 << spare) - 1)) !== 0)) throw new BadValue(message);
  for (let shift = count * 6 - 4; shift >= spare; shift -= 4) {
    bytes[o] = hexOf[(bits >> shift) & 15] as number;
    o += 1;
  }
  out.length = o;
}
