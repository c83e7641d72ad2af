import type { TextOf } from './encoder.ts';
import { type JsonValue, scalarText } from './json-value.ts';
import { PythonReader } from './python-repr.ts';
import { BadValue } from './slice-error.ts';

/** A field of a composite type. */
export interface CompositeField {
  readonly name: string;
  readonly text: TextOf;
}

/**
 * A composite, archived as `<Record a=1 b='x'>`. Fields that the type has and the archive does not are
 * NULL, as they are in a table when they were added later; a field that only the archive has is refused.
 */
export function compositeText(fields: readonly CompositeField[]): TextOf {
  // Names are not quoted in the archive, so a longer name is tried before one that it begins with.
  const byLength = fields.toSorted((a, b) => b.name.length - a.name.length);
  return (value) => {
    if (value === null) return null;
    const text = scalarText(value);
    const reader = new PythonReader(text);
    // Anything else is taken to be in PostgreSQL's own notation, as other writers have it.
    if (!reader.takes('<Record')) return text;
    const values = new Map<string, JsonValue>();
    while (reader.takes(' ')) {
      const field = byLength.find((candidate) => reader.takes(`${candidate.name}=`));
      if (field === undefined) throw new BadValue('has a field that its type does not have');
      values.set(field.name, reader.value());
    }
    reader.expect('>');
    if (!reader.isAtEnd) throw new BadValue('is no composite value');
    return fieldsText(fields, values);
  };
}

/** The text of a composite by the values of its fields; one that is not there is NULL. */
export function fieldsText(
  fields: readonly CompositeField[],
  values: ReadonlyMap<string, JsonValue>,
): string {
  return `(${fields.map((field) => fieldText(field.text(values.get(field.name) ?? null))).join(',')})`;
}

function fieldText(text: string | null): string {
  if (text === null) return '';
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '""')}"`;
}
