import { quoteIdentifier, quoteLiteral } from '../postgres/identifier.ts';
import type { NewColumn } from '../postgres/models.ts';
import { badBundle } from './bundle-error.ts';
import type { DescribedField } from './describe.ts';

/** Defaults that are calls: the source system writes them like any text. */
const calls: Readonly<Record<string, string>> = {
  'now()': 'now()',
  current_timestamp: 'now()',
  'gen_random_uuid()': 'gen_random_uuid()',
};
const callTypes: ReadonlySet<string> = new Set(['timestamp', 'date', 'uuid']);

/** Types whose minimum and maximum are those of the value itself. */
const ordered: ReadonlySet<string> = new Set(['integer', 'bigint', 'numeric', 'timestamp', 'date']);

/**
 * A field as a column: type, default, and its rules as constraints. A minimum or maximum of a text is of its
 * length, of an array of the number of its elements.
 *
 * @param pattern its pattern, where PostgreSQL has the same; null: none
 * @param place `model.field`, for messages
 * @throws ThawError `InputInvalid` for what no column can have
 */
export function columnOf(field: DescribedField, pattern: string | null, place: string): NewColumn {
  const text = (value: string) => {
    if (value.includes('\0')) throw badBundle(`describe.yaml: ${place} holds a NUL character`);
    return quoteLiteral(value);
  };
  const name = quoteIdentifier(field.name);
  const checks = [
    ...enumCheck(field, name, text),
    ...limitCheck(field, name, '>=', field.minimum, place),
    ...limitCheck(field, name, '<=', field.maximum, place),
    ...(pattern === null ? [] : [`${name} ~ ${text(pattern)}`]),
  ];
  const parts = [
    field.type,
    ...(field.defaultValue === null ? [] : [`default ${defaultOf(field, field.defaultValue, text)}`]),
    ...(field.required ? ['not null'] : []),
    ...(field.unique ? ['unique'] : []),
    ...checks.map((check) => `check (${check})`),
  ];
  return {
    name: field.name,
    definition: parts.join(' '),
    index: field.index && !field.unique,
    comment: field.description === null ? null : noNul(field.description, place),
  };
}

/** A text that is kept as it is, and so must be one that PostgreSQL has. @throws ThawError `InputInvalid` */
export function noNul(text: string, place: string): string {
  if (text.includes('\0')) throw badBundle(`describe.yaml: ${place} holds a NUL character`);
  return text;
}

function enumCheck(field: DescribedField, name: string, text: (value: string) => string): string[] {
  const { enumValues, type } = field;
  if (enumValues === null || enumValues.length === 0) return [];
  const allowed = `array[${enumValues.map(text).join(', ')}]::text[]`;
  return [type.endsWith('[]') ? `${name}::text[] <@ ${allowed}` : `${name}::text = any (${allowed})`];
}

function limitCheck(
  { type }: DescribedField,
  name: string,
  operator: '>=' | '<=',
  limit: string | null,
  place: string,
): string[] {
  if (limit === null) return [];
  if (ordered.has(type)) return [`${name} ${operator} ${quoteLiteral(noNul(limit, place))}::${type}`];
  const size = type.endsWith('[]') ? `cardinality(${name})` : type === 'text' ? `length(${name})` : null;
  if (size === null) throw badBundle(`describe.yaml: ${place}: a ${type} has no minimum or maximum`);
  if (!/^\d{1,9}(\.0+)?$/.test(limit))
    throw badBundle(`describe.yaml: ${place}: the minimum or maximum is no length`);
  return [`${size} ${operator} ${Number(limit)}`];
}

function defaultOf({ type }: DescribedField, value: string, text: (value: string) => string): string {
  const call = callTypes.has(type) ? calls[value.toLowerCase()] : undefined;
  if (call !== undefined) return call;
  if (type === 'jsonb') return `${text(isJson(value) ? value : JSON.stringify(value))}::jsonb`;
  const items = type.endsWith('[]') ? arrayItems(value) : null;
  if (items !== null) return `array[${items.map(text).join(', ')}]::${type}`;
  return `${text(value)}::${type}`;
}

/** The elements of a JSON array; null where the value is no such thing, but PostgreSQL's own notation. */
function arrayItems(value: string): string[] | null {
  if (!value.startsWith('[')) return null;
  const items: unknown = isJson(value) ? JSON.parse(value) : null;
  return Array.isArray(items) ? items.map(String) : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
