import * as ascii from './ascii.ts';
import { copyUsualJson } from './copy-json.ts';
import type { Encoder } from './encoder.ts';
import { skipString, skipValue } from './json-scan.ts';
import { isJsonText } from './json-text.ts';
import { JsonNumber, JsonObject, type JsonValue } from './json-value.ts';
import { BadValue, RestartNested } from './slice-error.ts';

/**
 * The encoder of a json or jsonb column. There are two kinds of archives: the archiver puts the JSON text
 * into a string, others write the value itself. Which it is shows at the first object or array; until
 * then strings that are JSON text are taken for that, and if one was, `RestartNested` is thrown.
 *
 * @param nested Whether it is known that the archive holds the values themselves.
 */
export function jsonEncoder(column: string, nested: boolean): Encoder {
  let isNested = nested;
  let tookText = false;
  return (out, json, at) => {
    const first = json[at];
    if (first === ascii.quote && !isNested) {
      const start = out.length;
      const usualEnd = copyUsualJson(out, json, at + 1);
      if (usualEnd !== -1) {
        tookText = true;
        return usualEnd;
      }
      out.length = start;
      const end = out.string(json, at + 1);
      if (isJsonText(out.bytes, start, out.length)) {
        tookText = true;
        return end;
      }
      out.length = start;
    }
    if (first === ascii.lowerN) return out.word(json, at);
    if (first === ascii.braceOpen || first === ascii.bracketOpen) {
      if (tookText) throw new RestartNested(column);
      isNested = true;
    }
    // The JSON text is in the archive as it stands: a string is a JSON string, numbers keep all digits.
    const end = first === ascii.quote ? skipString(json, at + 1) : skipValue(json, at);
    out.escaped(json, at, end);
    return end;
  };
}

/**
 * The text of a JSON value within an array, range or composite, where the archiver always wrote the JSON
 * text into a string. An object is taken as it stands.
 */
export function jsonText(value: JsonValue): string | null {
  if (value === null) return null;
  if (typeof value === 'string') return isParsable(value) ? value : JSON.stringify(value);
  if (typeof value === 'boolean') return String(value);
  if (value instanceof JsonNumber) return value.lexeme;
  if (value instanceof JsonObject) return value.text;
  throw new BadValue('has an array where an element of json is expected');
}

function isParsable(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
