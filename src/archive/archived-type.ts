import type { ColumnType } from './column-type.ts';
import type { ArchivedColumn } from './metadata.ts';

/** A type as archives and tables declare it, without its domain. */
export interface DeclaredType {
  /** `pg_type.typname`, `_text` for an array; null where the metadata does not tell. */
  readonly name: string | null;
  /** Length, or precision and scale; empty for none. */
  readonly modifiers: readonly number[];
}

/** The subtypes of PostgreSQL's own ranges; what others are over, the metadata does not tell. */
const subtypes: Readonly<Record<string, string>> = {
  int4: 'int4',
  int8: 'int8',
  num: 'numeric',
  ts: 'timestamp',
  tstz: 'timestamptz',
  date: 'date',
};

/** Names of SQL and information_schema that are not those of `pg_type`. */
const typeNames: Readonly<Record<string, string>> = {
  smallint: 'int2',
  integer: 'int4',
  int: 'int4',
  bigint: 'int8',
  real: 'float4',
  'double precision': 'float8',
  decimal: 'numeric',
  boolean: 'bool',
  '"char"': 'char',
  character: 'bpchar',
  char: 'bpchar',
  'character varying': 'varchar',
  'bit varying': 'varbit',
  'timestamp with time zone': 'timestamptz',
  'timestamp without time zone': 'timestamp',
  'time with time zone': 'timetz',
  'time without time zone': 'time',
};

/** Types whose length or precision the metadata has; that of others it never tells. */
const lengthTypes = new Set(['bpchar', 'varchar', 'bit', 'varbit']);

/** The type of a column as the archived schema declares it. */
export function declaredType(column: ArchivedColumn): DeclaredType {
  const { dataType, udtName, characterMaximumLength, numericPrecision, numericScale } = column;
  const spelled = readTypeName(dataType);
  const name = udtName ?? (dataType === 'ARRAY' || dataType === 'USER-DEFINED' ? null : spelled.name);
  if (name === 'numeric' && numericPrecision !== null)
    return { name, modifiers: [numericPrecision, numericScale ?? 0] };
  if (name !== null && lengthTypes.has(name) && characterMaximumLength !== null)
    return { name, modifiers: [characterMaximumLength] };
  return { name, modifiers: udtName === null ? spelled.modifiers : [] };
}

/** Reads a type as SQL spells it: `character varying(20)`, `numeric(10,2)`, `text[]`. */
export function readTypeName(spelled: string): DeclaredType {
  const [, base = spelled, first, second, brackets] =
    /^(.*?)\s*(?:\((\d+)(?:,\s*(-?\d+))?\))?\s*((?:\[\d*\])*)$/s.exec(spelled) ?? [];
  const name = typeNames[base] ?? base;
  // An array tells nothing of its elements' length, neither here nor in information_schema.
  if (brackets !== undefined && brackets !== '') return { name: `_${name}`, modifiers: [] };
  if (name !== 'numeric' && !lengthTypes.has(name)) return { name, modifiers: [] };
  const modifiers = [first, second].filter((part) => part !== undefined).map(Number);
  return { name, modifiers: name === 'numeric' && modifiers.length === 1 ? [...modifiers, 0] : modifiers };
}

/**
 * The type of a column by the archived schema. An enum, a composite or a type of an extension is taken
 * for one that is written as it stands; null for what the metadata does not tell.
 */
export function archivedType(column: ArchivedColumn): ColumnType | null {
  const { name } = declaredType(column);
  if (name === null) return null;
  if (column.dataType !== 'ARRAY' && (column.udtName !== null || !name.startsWith('_')))
    return namedType(name);
  const element = name.replace(/^_/, '');
  return { kind: 'array', name, element: namedType(element), delimiter: element === 'box' ? ';' : ',' };
}

function namedType(name: string): ColumnType {
  const [, base = '', multi] = /^([a-z0-9]+?)(multi)?range$/.exec(name) ?? [];
  const subtype = subtypes[base];
  if (subtype === undefined) return { kind: 'scalar', name };
  const kind = multi === undefined ? 'range' : 'multirange';
  return { kind, name, subtype: { kind: 'scalar', name: subtype } };
}
