import type { ArchiveColumn, ColumnType } from './column-type.ts';
import { arrayOfArraysText, arrayText, encodePlainArray } from './encode-array.ts';
import { fieldsText } from './encode-composite.ts';
import { jsonEncoder } from './encode-json.ts';
import { vectorText } from './encode-numbers.ts';
import { type Encoder, encoderOfText, encodeScalar, type TextOf } from './encoder.ts';
import { JsonNumber, JsonObject, type JsonValue, readFields, scalarText } from './json-value.ts';
import { BadValue } from './slice-error.ts';

/**
 * The encoder of a column whose values `to_jsonb` wrote, or one of its relatives (`row_to_json`, PostgREST):
 * json as it is, arrays as arrays, composites and hstore as objects, numbers and booleans as such, and
 * everything else as a string with PostgreSQL's own text. It writes neither the lower bounds of arrays, nor
 * the sign of a float's zero, nor the difference between the `null` of jsonb and NULL.
 */
export function toJsonbEncoder({ name, type }: ArchiveColumn): Encoder {
  if (isJson(type)) return jsonEncoder(name, true);
  if (type.kind === 'array' && type.delimiter === ',' && isPlain(type.element)) return encodePlainArray;
  return isPlain(type) ? encodeScalar : encoderOfText(textOf(type));
}

/** Types that are no strings, numbers or booleans; json aside. */
const builtTypes: ReadonlyMap<string, TextOf> = new Map([
  ['hstore', hstoreText],
  ['int2vector', vectorText],
  ['oidvector', vectorText],
]);

function isJson(type: ColumnType): boolean {
  return type.kind === 'scalar' && (type.name === 'json' || type.name === 'jsonb');
}

function isPlain(type: ColumnType): boolean {
  if (type.kind === 'scalar') return !isJson(type) && !builtTypes.has(type.name);
  return type.kind !== 'array' && type.kind !== 'composite';
}

function textOf(type: ColumnType): TextOf {
  if (isJson(type)) return jsonText;
  switch (type.kind) {
    case 'array':
      return textOfArray(type.element, type.delimiter);
    case 'composite':
      return compositeText(type.fields);
    case 'scalar':
      return builtTypes.get(type.name) ?? plainText;
    default:
      return plainText;
  }
}

function textOfArray(element: ColumnType, delimiter: string): TextOf {
  // Whether an array within one of json is a value or a dimension does not show; values are what people have.
  if (isJson(element) || element.kind === 'array') return arrayOfArraysText(textOf(element), delimiter);
  return arrayText(textOf(element), delimiter, isVector(element) ? 1 : 0);
}

function isVector(type: ColumnType): boolean {
  return type.kind === 'scalar' && builtTypes.get(type.name) === vectorText;
}

function plainText(value: JsonValue): string | null {
  return value === null ? null : scalarText(value);
}

function jsonText(value: JsonValue): string | null {
  return value === null ? null : jsonOf(value);
}

function jsonOf(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(', ')}]`;
  if (value instanceof JsonNumber) return value.lexeme;
  return value instanceof JsonObject ? value.text : JSON.stringify(value);
}

function compositeText(fields: readonly { readonly name: string; readonly type: ColumnType }[]): TextOf {
  const texts = fields.map(({ name, type }) => ({ name, text: textOf(type) }));
  const names = new Set(fields.map(({ name }) => name));
  return (value) => {
    if (!(value instanceof JsonObject)) return plainText(value);
    const values = readFields(value);
    if ([...values.keys()].some((name) => !names.has(name)))
      throw new BadValue('has a field that its type does not have');
    return fieldsText(texts, values);
  };
}

function hstoreText(value: JsonValue): string | null {
  if (!(value instanceof JsonObject)) return plainText(value);
  const pairs = [...readFields(value)].map(
    ([key, item]) => `${quoted(key)}=>${quotedOrNull(plainText(item))}`,
  );
  return pairs.join(', ');
}

function quotedOrNull(text: string | null): string {
  return text === null ? 'NULL' : quoted(text);
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}
