import * as ascii from './ascii.ts';
import { skipBlanks, skipColon, skipScalar, skipString, skipValue } from './json-scan.ts';
import { BadValue } from './slice-error.ts';

/** A number as it was written, so that none of its digits is lost. `NaN` and `Infinity` are numbers too. */
export class JsonNumber {
  readonly lexeme: string;

  constructor(lexeme: string) {
    this.lexeme = lexeme;
  }
}

/** An object as it was written: columns of json take it as text. */
export class JsonObject {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A JSON value that keeps what JSON.parse would lose. */
export type JsonValue = null | boolean | string | JsonNumber | JsonObject | readonly JsonValue[];

/** PostgreSQL's arrays have at most 6 dimensions, its geometric types 2; more is an answer. */
const maxArrayDepth = 16;

/**
 * Reads the value that stands in `json` at `at`. For columns whose type needs more than a copy of the
 * bytes: arrays, ranges, points. Throws `BadValue` for arrays nested beyond what PostgreSQL has.
 */
export function readValue(json: Buffer, at: number): { value: JsonValue; end: number } {
  // All of it is checked first, so that nothing below has to.
  const end = skipValue(json, at);
  return { value: new ValueReader(json, at).value(0), end };
}

class ValueReader {
  readonly #json: Buffer;
  #at: number;

  constructor(json: Buffer, at: number) {
    this.#json = json;
    this.#at = at;
  }

  value(depth: number): JsonValue {
    const start = this.#at;
    const first = this.#json[start] as number;
    if (first === ascii.bracketOpen) return this.#array(depth);
    if (first === ascii.braceOpen) {
      this.#at = skipValue(this.#json, start);
      return new JsonObject(this.#json.toString('utf8', start, this.#at));
    }
    this.#at = skipScalar(this.#json, start);
    const lexeme = this.#json.toString('utf8', start, this.#at);
    if (first === ascii.quote) return JSON.parse(lexeme) as string;
    if (lexeme === 'null') return null;
    if (lexeme === 'true') return true;
    if (lexeme === 'false') return false;
    return new JsonNumber(lexeme);
  }

  fields(): Map<string, JsonValue> {
    const fields = new Map<string, JsonValue>();
    this.#at = skipBlanks(this.#json, this.#at + 1);
    while (this.#json[this.#at] !== ascii.braceClose) {
      const keyEnd = skipString(this.#json, this.#at + 1);
      const key = JSON.parse(this.#json.toString('utf8', this.#at, keyEnd)) as string;
      this.#at = skipColon(this.#json, keyEnd);
      fields.set(key, this.value(0));
      this.#at = skipBlanks(this.#json, this.#at);
      if (this.#json[this.#at] === ascii.comma) this.#at = skipBlanks(this.#json, this.#at + 1);
    }
    return fields;
  }

  #array(depth: number): JsonValue[] {
    if (depth === maxArrayDepth) throw new BadValue('is an array nested deeper than PostgreSQL has them');
    const items: JsonValue[] = [];
    this.#at = skipBlanks(this.#json, this.#at + 1);
    while (this.#json[this.#at] !== ascii.bracketClose) {
      items.push(this.value(depth + 1));
      this.#at = skipBlanks(this.#json, this.#at);
      if (this.#json[this.#at] === ascii.comma) this.#at = skipBlanks(this.#json, this.#at + 1);
    }
    this.#at += 1;
    return items;
  }
}

/** The members of an object, which was checked when it was read. Of a key that comes twice the last one counts. */
export function readFields({ text }: JsonObject): ReadonlyMap<string, JsonValue> {
  return new ValueReader(Buffer.from(`${text}\n`), 0).fields();
}

/** A value as PostgreSQL's input functions read it, where JSON and PostgreSQL agree on it. */
export function scalarText(value: JsonValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value instanceof JsonNumber) return value.lexeme;
  throw new BadValue('is an array or object, which its type does not have');
}
