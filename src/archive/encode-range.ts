import type { TextOf } from './encoder.ts';
import { type JsonValue, scalarText } from './json-value.ts';
import { PythonReader } from './python-repr.ts';
import { BadValue } from './slice-error.ts';

/** A range, archived as `<Range [1, 5)>` with its bounds in Python's notation. */
export function rangeText(subtype: TextOf): TextOf {
  return (value) => (value === null ? null : rangeOf(scalarText(value), subtype));
}

function rangeOf(text: string, subtype: TextOf): string {
  const reader = new PythonReader(text);
  // Anything else is taken to be in PostgreSQL's own notation, as other writers have it.
  if (!reader.takes('<Range ')) return text;
  if (reader.takes('empty>')) return 'empty';

  const open = reader.takes('[') ? '[' : '(';
  if (open === '(') reader.expect('(');
  const lower = reader.takes(', ') ? null : readBound(reader, subtype);
  if (lower !== null) reader.expect(', ');
  let upper: string | null = null;
  let close = closing(reader);
  if (close === null) {
    upper = readBound(reader, subtype);
    close = closing(reader);
  }
  reader.expect('>');
  if (close === null || !reader.isAtEnd) throw new BadValue('is no range');
  return `${open}${lower ?? ''},${upper ?? ''}${close}`;
}

function closing(reader: PythonReader): string | null {
  if (reader.takes(')')) return ')';
  return reader.takes(']') ? ']' : null;
}

function readBound(reader: PythonReader, subtype: TextOf): string {
  const bound = subtype(reader.value());
  if (bound === null) throw new BadValue('is a range with a bound that is missing');
  return `"${bound.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** A multirange, archived as an array of ranges. */
export function multirangeText(subtype: TextOf): TextOf {
  return (value) => {
    if (value === null || typeof value === 'string') return value;
    if (!Array.isArray(value)) throw new BadValue('is no array of ranges');
    return `{${value.map((range: JsonValue) => rangeOf(scalarText(range), subtype)).join(',')}}`;
  };
}
