import { type JsonValue, scalarText } from './json-value.ts';
import { BadValue } from './slice-error.ts';

const bitString = /^<BitString ([01 ]*)>$/;
const plainBits = /^[01]*$/;

/** `bit` and `varbit`, archived as `<BitString 1011 0>`. */
export function bitsText(value: JsonValue): string | null {
  if (value === null) return null;
  const text = scalarText(value);
  const bits = bitString.exec(text)?.[1]?.replaceAll(' ', '') ?? text;
  if (!plainBits.test(bits)) throw new BadValue('is no string of bits');
  return bits;
}
