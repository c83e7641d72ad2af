import { fieldFault } from './list-fault.ts';

/** What the values of a field are, for comparing them with what a query says. */
export type FieldKind = 'text' | 'id' | 'number' | 'boolean' | 'time' | 'list';

/** The fields that records are looked for by; each is the column of the same name. */
export type Fields = Readonly<Record<string, FieldKind>>;

/** Values of a statement, `$1` and on. */
export class Binds {
  readonly values: unknown[] = [];

  /** Adds a value. @returns its place in the statement */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** Conditions within conditions, as deep as anybody means them. */
const maxDepth = 8;

/**
 * The condition that a `where` object says, in the operators of the Data API: `{"status":"failed"}`,
 * `{"progress":{"$gte":50}}`, `{"$or":[…]}`. A field alone is equality, with a list one of them.
 *
 * @throws ThawError `InputInvalid` for a field, an operator or a value that is none
 */
export function conditionOf(where: unknown, fields: Fields, binds: Binds, depth = 0): string {
  if (depth > maxDepth) throw fieldFault('where', `must not be nested more than ${maxDepth} times`);
  const parts = Object.entries(objectOf(where)).map(([name, value]) => {
    const connective = Object.hasOwn(connectives, name) ? connectives[name] : undefined;
    if (connective !== undefined) {
      return connective(listOf(name, value).map((each) => conditionOf(each, fields, binds, depth + 1)));
    }
    const kind = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (kind === undefined) {
      throw fieldFault('where', `has no field ${name}; there are ${Object.keys(fields).join(', ')}`);
    }
    return fieldCondition({ name, kind, binds }, value);
  });
  return allOf(parts);
}

const connectives: Readonly<Record<string, (conditions: readonly string[]) => string>> = {
  $and: allOf,
  $or: anyOf,
  $not: (conditions) => no(allOf(conditions)),
  $nand: (conditions) => no(allOf(conditions)),
  $nor: (conditions) => no(anyOf(conditions)),
};

/** A field of a condition. */
interface Place {
  readonly name: string;
  readonly kind: FieldKind;
  readonly binds: Binds;
}

function fieldCondition(place: Place, value: unknown): string {
  if (Array.isArray(value)) return operatorCondition(place, place.kind === 'list' ? '$eq' : '$in', value);
  if (typeof value !== 'object' || value === null) {
    return operatorCondition(place, place.kind === 'list' && value !== null ? '$any' : '$eq', value);
  }
  return allOf(
    Object.entries(value).map(([operator, operand]) => operatorCondition(place, operator, operand)),
  );
}

/** Operators that say the opposite of another. What is null is not equal, not like and not among others. */
const opposites: Readonly<Record<string, string>> = {
  $ne: '$eq',
  $neq: '$eq',
  $nlike: '$like',
  $nilike: '$ilike',
  $nregex: '$regex',
  $nin: '$in',
  $nany: '$any',
  $nall: '$all',
};

function operatorCondition(place: Place, operator: string, operand: unknown): string {
  const opposite = Object.hasOwn(opposites, operator) ? opposites[operator] : undefined;
  if (opposite !== undefined) return no(operatorCondition(place, opposite, operand));
  const operators = place.kind === 'list' ? listOperators : scalarOperators;
  const write = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
  if (write === undefined) throw fieldFault(place.name, `has no operator ${operator}`);
  return write(place, operand);
}

type Operator = (place: Place, operand: unknown) => string;

/** A comparison of the field with one value. */
function comparison(sign: string): Operator {
  return (place, operand) => `${columnOf(place)} ${sign} ${bound(place, operand)}`;
}

/** A comparison with a pattern. */
function pattern(sign: string, write: (text: string) => string = (text) => text): Operator {
  return (place, operand) => {
    if (place.kind !== 'text' && place.kind !== 'id') throw fieldFault(place.name, 'is no text');
    const text = textOf(place, operand);
    if (text.length > longestPattern) {
      throw fieldFault(place.name, `must be compared with at most ${longestPattern} characters`);
    }
    return `${columnOf(place)} ${sign} ${place.binds.add(write(text))}::text`;
  };
}

/** Matching takes time by the length of the pattern. */
const longestPattern = 200;

const contains = pattern('ilike', (text) => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`);

const nullness: Readonly<Record<string, Operator>> = {
  $null: (place, operand) => `${columnOf(place)} is ${flagOf(place, operand) ? '' : 'not '}null`,
  $exists: (place, operand) => `${columnOf(place)} is ${flagOf(place, operand) ? 'not ' : ''}null`,
};

const scalarOperators: Readonly<Record<string, Operator>> = {
  ...nullness,
  $eq: (place, operand) =>
    operand === null ? `${columnOf(place)} is null` : `${columnOf(place)} = ${bound(place, operand)}`,
  $gt: comparison('>'),
  $gte: comparison('>='),
  $lt: comparison('<'),
  $lte: comparison('<='),
  $in: (place, operand) => {
    const values = listOf(place.name, operand);
    const equal = `${columnOf(place)} = any(${place.binds.add(
      values.filter((value) => value !== null).map((value) => operandOf(place, value)),
    )}::${types[place.kind]}[])`;
    return values.includes(null) ? anyOf([equal, `${columnOf(place)} is null`]) : equal;
  },
  $between: (place, operand) => {
    const [from, to, ...more] = listOf(place.name, operand);
    if (from === undefined || to === undefined || more.length > 0) {
      throw fieldFault(place.name, 'must be between two values, in a list');
    }
    return `${columnOf(place)} between ${bound(place, from)} and ${bound(place, to)}`;
  },
  $like: pattern('like'),
  $ilike: pattern('ilike'),
  $regex: pattern('~'),
  $find: contains,
  $text: contains,
  $search: contains,
};

const listOperators: Readonly<Record<string, Operator>> = {
  ...nullness,
  $eq: (place, operand) =>
    operand === null ? `${columnOf(place)} is null` : `${columnOf(place)} = ${boundTexts(place, operand)}`,
  $any: (place, operand) => `${columnOf(place)} && ${boundTexts(place, operand)}`,
  $all: (place, operand) => `${columnOf(place)} @> ${boundTexts(place, operand)}`,
  $size: (place, operand) =>
    fieldCondition({ ...place, name: `cardinality(${place.name})`, kind: 'number' }, operand),
};

/** Numbers of every width are compared as numeric, ids as text: no value that is written well is out of range. */
const types: Readonly<Record<FieldKind, string>> = {
  text: 'text',
  id: 'text',
  number: 'numeric',
  boolean: 'boolean',
  time: 'timestamptz',
  list: 'text',
};

function columnOf({ name, kind }: Place): string {
  return kind === 'id' ? `${name}::text` : name;
}

function bound(place: Place, value: unknown): string {
  return `${place.binds.add(operandOf(place, value))}::${types[place.kind]}`;
}

function boundTexts(place: Place, operand: unknown): string {
  return `${place.binds.add(listOf(place.name, operand).map((value) => textOf(place, value)))}::text[]`;
}

function operandOf(place: Place, value: unknown): unknown {
  switch (place.kind) {
    case 'number':
      return numberOf(place, value);
    case 'boolean':
      return flagOf(place, value);
    case 'time':
      return timeOf(place, value);
    default:
      return textOf(place, value);
  }
}

/** Text of a URL has no types: `true`, `7` and `"7"` are the same there. */
function textOf({ name, kind }: Place, value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw fieldFault(name, 'must be compared with text');
  }
  const text = String(value);
  if (text.includes('\0')) throw fieldFault(name, 'must be compared with text without NUL');
  return kind === 'id' ? text.toLowerCase() : text;
}

function numberOf({ name }: Place, value: unknown): string {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  if (!/^-?\d{1,20}(\.\d{1,20})?$/.test(text)) throw fieldFault(name, 'must be compared with a number');
  return text;
}

function flagOf({ name }: Place, value: unknown): boolean {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw fieldFault(name, 'must be compared with true or false');
}

function timeOf({ name }: Place, value: unknown): string {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  const text = Number.isNaN(time) ? '' : new Date(time).toISOString();
  if (!/^[1-9]\d{3}-/.test(text))
    throw fieldFault(name, 'must be compared with a time such as 2026-01-04T05:20:21Z');
  return text;
}

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw fieldFault('where', 'must be an object of fields and operators');
}

/** A single value is a list of one. */
function listOf(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value !== undefined && value !== null) return [value];
  throw fieldFault(name, 'must be compared with a list');
}

function allOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'true' : `(${conditions.join(' and ')})`;
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'false' : `(${conditions.join(' or ')})`;
}

/** What is unknown, as a value is null, counts as not being so. */
function no(condition: string): string {
  return `not coalesce(${condition}, false)`;
}
