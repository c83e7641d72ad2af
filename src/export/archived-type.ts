import type { ColumnType } from '../archive/column-type.ts';
import type { ArchivedColumn } from '../archive/metadata.ts';

/** The subtypes of PostgreSQL's own ranges; what others are over, the metadata does not tell. */
const subtypes: Readonly<Record<string, string>> = {
  int4: 'int4',
  int8: 'int8',
  num: 'numeric',
  ts: 'timestamp',
  tstz: 'timestamptz',
  date: 'date',
};

/** Names of information_schema that are not those of `pg_type`, where it matters how a value is written. */
const typeNames: Readonly<Record<string, string>> = {
  '"char"': 'char',
  'bit varying': 'varbit',
  'timestamp with time zone': 'timestamptz',
  'timestamp without time zone': 'timestamp',
};

/**
 * The type of a column by the archived schema. An enum, a composite or a type of an extension is taken
 * for one that is written as it stands; null for an array of who knows what.
 */
export function archivedType({ dataType, udtName }: ArchivedColumn): ColumnType | null {
  if (dataType === 'ARRAY' && udtName === null) return null;
  if (udtName === null) return namedType(typeNames[dataType] ?? dataType);
  if (dataType !== 'ARRAY') return namedType(udtName);
  const element = udtName.replace(/^_/, '');
  return {
    kind: 'array',
    name: udtName,
    element: namedType(element),
    delimiter: element === 'box' ? ';' : ',',
  };
}

function namedType(name: string): ColumnType {
  const [, base = '', multi] = /^([a-z0-9]+?)(multi)?range$/.exec(name) ?? [];
  const subtype = subtypes[base];
  if (subtype === undefined) return { kind: 'scalar', name };
  const kind = multi === undefined ? 'range' : 'multirange';
  return { kind, name, subtype: { kind: 'scalar', name: subtype } };
}
