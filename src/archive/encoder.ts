import type { CopyText } from './copy-text.ts';
import { type JsonValue, readValue } from './json-value.ts';

/**
 * Appends the JSON value at `at` to `out` as COPY text of one type, and gives the index behind it.
 * Throws `Malformed` where there is no JSON value and `BadValue` where the type does not have it.
 */
export type Encoder = (out: CopyText, json: Buffer, at: number) => number;

/**
 * The text of a value as the input function of its type reads it; null for NULL. For types that are not
 * written byte by byte, and for whatever stands within an array, range or composite.
 * Throws `BadValue` where the type does not have the value.
 */
export type TextOf = (value: JsonValue) => string | null;

/** The value as it stands: what text, numbers, booleans, times and most other types need. */
export const encodeScalar: Encoder = (out, json, at) => out.scalar(json, at);

/** The encoder that reads the whole value first and writes what `textOf` makes of it. */
export function encoderOfText(textOf: TextOf): Encoder {
  return (out, json, at) => {
    const { value, end } = readValue(json, at);
    const text = textOf(value);
    if (text === null) out.null();
    else out.text(text);
    return end;
  };
}
