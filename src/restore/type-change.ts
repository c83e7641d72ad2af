import { type DeclaredType, readTypeName } from '../archive/archived-type.ts';
import type { TargetColumn } from '../postgres/catalog.ts';

/**
 * What a change of a column's type means for its values:
 *
 * none     the same type, or the metadata does not tell.
 * exact    a value comes in as it is, or PostgreSQL refuses its row.
 * lossy    a value may come in as another one without an error: rounded, cut off, moved to a time zone.
 */
export type TypeChange = 'none' | 'exact' | 'lossy';

const integers = ['int2', 'int4', 'int8'];
const times = new Set(['date', 'time', 'timetz', 'timestamp', 'timestamptz']);
/** Texts that are cut to a fixed length without an error, and money, which is rounded to cents. */
const cutting = new Set(['name', 'char', 'money']);
/** What a float holds to the last digit. */
const floatsExactly: Readonly<Record<string, readonly string[]>> = {
  float4: ['int2'],
  float8: ['int2', 'int4', 'float4'],
};

/** The type of a column of the table, as the archiver's metadata would tell it. */
export function targetType({ type, baseTypeName }: TargetColumn): DeclaredType {
  return { name: type.name, modifiers: readTypeName(baseTypeName).modifiers };
}

/** Tells what becomes of values when a column was archived with one type and the table has another. */
export function typeChange(from: DeclaredType, to: DeclaredType): TypeChange {
  if (from.name === null || to.name === null) return 'none';
  if (from.name === to.name) {
    if (String(from.modifiers) === String(to.modifiers)) return 'none';
    return from.name === 'numeric' ? roundedBy(from, to) : 'exact';
  }
  if (from.name.startsWith('_') && to.name.startsWith('_')) {
    const element = typeChange(elementOf(from), elementOf(to));
    return element === 'none' ? 'exact' : element;
  }
  return losesValues(from, to) ? 'lossy' : 'exact';
}

/** A type for people: `numeric(10,2)`, `text[]`. */
export function typeText({ name, modifiers }: DeclaredType): string {
  if (name === null) return 'an unknown type';
  const plain = name.startsWith('_') ? `${name.slice(1)}[]` : name;
  return modifiers.length === 0 ? plain : `${plain}(${modifiers.join(',')})`;
}

function losesValues(from: DeclaredType, to: DeclaredType): boolean {
  const source = from.name ?? '';
  const target = to.name ?? '';
  const exactFloats = floatsExactly[target];
  if (exactFloats !== undefined) return !exactFloats.includes(source);
  // PostgreSQL takes a zone for that of the session, and leaves out what a type has no place for.
  if (times.has(target)) return !(source === 'date' && target === 'timestamp');
  if (target === 'numeric') return to.modifiers.length > 0 && !integers.includes(source);
  return cutting.has(target);
}

/** Digits behind the point are rounded away without an error; those before it are not. */
function roundedBy(from: DeclaredType, to: DeclaredType): TypeChange {
  const [, scale] = from.modifiers;
  const [, targetScale] = to.modifiers;
  if (targetScale === undefined) return 'exact';
  return scale === undefined || scale > targetScale ? 'lossy' : 'exact';
}

function elementOf({ name }: DeclaredType): DeclaredType {
  return { name: name === null ? null : name.slice(1), modifiers: [] };
}
