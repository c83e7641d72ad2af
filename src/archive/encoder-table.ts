import { ThawError } from '../contract/thaw-error.ts';
import type { ArchiveColumn, ColumnType } from './column-type.ts';
import { arrayText, encodePlainArray } from './encode-array.ts';
import { bitsText } from './encode-bits.ts';
import { byteaText, charText, encodeBytea } from './encode-bytea.ts';
import { compositeText } from './encode-composite.ts';
import { jsonEncoder, jsonText } from './encode-json.ts';
import * as numbers from './encode-numbers.ts';
import { multirangeText, rangeText } from './encode-range.ts';
import { dayText, encodeMoment, intervalText, momentText, textOfScalar } from './encode-time.ts';
import { type Encoder, encoderOfText, encodeScalar, type TextOf } from './encoder.ts';
import { type JsonValue, scalarText } from './json-value.ts';
import { BadValue } from './slice-error.ts';

/** What the encoders have to be told. */
export interface EncoderOptions {
  /** Columns (by name) of json, known to hold nested values, whose strings are therefore scalars; see `RestartNested`. */
  readonly nestedJson?: ReadonlySet<string> | undefined;
  /**
   * What a `timestamp` or `date` at the very end of Python's calendar is: itself, or the infinity that the
   * archiver wrote the same way. For `timestamptz` the two can be told apart and always are.
   * @default 'keep'
   */
  readonly infinity?: 'keep' | 'map' | undefined;
  /** What becomes of a value that the archiver destroyed (path, polygon): the row is rejected, or it is NULL. @default 'fail' */
  readonly unrestorable?: 'fail' | 'null' | undefined;
}

/** How a base type is written, where it is not copied as it stands. */
interface ScalarRule {
  /** The text of a value, which also does within arrays, ranges and composites. */
  readonly text: TextOf;
  /** A way that goes by the bytes, where one is worth it. */
  readonly encoder?: Encoder;
  /** How many JSON arrays a value is made of. */
  readonly depth?: number;
}

const json: ScalarRule = { text: jsonText };
const bits: ScalarRule = { text: bitsText };
const interval: ScalarRule = { text: textOfScalar(intervalText) };
const moment: ScalarRule = { text: textOfScalar(momentText), encoder: encodeMoment };
const snapshot: ScalarRule = { text: numbers.snapshotText, depth: 2 };

/**
 * The archiver's format, type table: what is not in it is copied as it stands, and PostgreSQL's input
 * function has the last word.
 */
const scalarRules: ReadonlyMap<string, ScalarRule> = new Map([
  ['timestamptz', moment],
  ['interval', interval],
  ['bytea', { text: byteaText, encoder: encodeBytea }],
  ['char', { text: charText }],
  ['json', json],
  ['jsonb', json],
  ['bit', bits],
  ['varbit', bits],
  ['point', { text: numbers.pointText, depth: 1 }],
  ['line', { text: numbers.lineText, depth: 1 }],
  ['lseg', { text: numbers.segmentText, depth: 2 }],
  ['box', { text: numbers.boxText, depth: 2 }],
  ['circle', { text: numbers.circleText, depth: 2 }],
  ['tid', { text: numbers.tidText, depth: 1 }],
  ['pg_snapshot', snapshot],
  ['txid_snapshot', snapshot],
  ['pg_lsn', { text: numbers.lsnText }],
]);

/** With `infinity: 'map'`. */
const infinityRules: ReadonlyMap<string, ScalarRule> = new Map([
  ['timestamp', moment],
  ['date', { text: textOfScalar(dayText) }],
]);

/** Types whose values the archiver destroyed: it wrote where in its memory they were. */
const destroyedTypes = new Set(['path', 'polygon']);
const memoryAddress = /^<[\w.]+ object at 0x[0-9a-f]+>$/;

/** Types that PostgreSQL writes and never reads. */
const unwritableTypes = new Set(['pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list']);

/**
 * The encoder of a column, chosen by its type and by nothing else.
 *
 * @throws ThawError `SchemaIncompatible` for a type that no value can be written to.
 */
export function encoderOf(column: ArchiveColumn, options: EncoderOptions): Encoder {
  const { type } = column;
  const unwritable = unwritablePart(type);
  if (unwritable !== null) {
    throw new ThawError(
      'SchemaIncompatible',
      `Column ${column.name} is of type ${type.name}: PostgreSQL takes no values of type ${unwritable}.`,
    );
  }
  if (type.kind === 'scalar') {
    if (type.name === 'json' || type.name === 'jsonb') {
      return jsonEncoder(column.name, options.nestedJson?.has(column.name) === true);
    }
    const rule = ruleOf(type.name, options);
    return rule === null ? encodeScalar : (rule.encoder ?? encoderOfText(rule.text));
  }
  if (type.kind === 'enum') return encodeScalar;
  if (type.kind === 'array' && type.delimiter === ',' && isPlain(type.element, options)) {
    return encodePlainArray;
  }
  return encoderOfText(textOf(type, options));
}

/** The rule of a base type; null for those that are copied as they stand. */
function ruleOf(name: string, options: EncoderOptions): ScalarRule | null {
  if (destroyedTypes.has(name)) return { text: destroyedText(options.unrestorable === 'null') };
  const rule = options.infinity === 'map' ? infinityRules.get(name) : undefined;
  return rule ?? scalarRules.get(name) ?? null;
}

function isPlain(type: ColumnType, options: EncoderOptions): boolean {
  return type.kind === 'enum' || (type.kind === 'scalar' && ruleOf(type.name, options) === null);
}

function textOf(type: ColumnType, options: EncoderOptions): TextOf {
  switch (type.kind) {
    case 'scalar':
      return ruleOf(type.name, options)?.text ?? textOfScalar((text) => text);
    case 'enum':
      return textOfScalar((text) => text);
    case 'array':
      return arrayText(textOf(type.element, options), type.delimiter, depthOf(type.element, options));
    case 'range':
      return rangeText(textOf(type.subtype, options));
    case 'multirange':
      return multirangeText(textOf(type.subtype, options));
    case 'composite':
      return compositeText(
        type.fields.map((field) => ({ name: field.name, text: textOf(field.type, options) })),
      );
  }
}

/** How many JSON arrays a value of the type is made of. */
function depthOf(type: ColumnType, options: EncoderOptions): number {
  if (type.kind === 'multirange') return 1;
  return type.kind === 'scalar' ? (ruleOf(type.name, options)?.depth ?? 0) : 0;
}

function destroyedText(asNull: boolean): TextOf {
  return (value: JsonValue) => {
    if (value === null) return null;
    const text = scalarText(value);
    if (!memoryAddress.test(text)) return text;
    if (asNull) return null;
    throw new BadValue('has a value that the archiver destroyed: it wrote a memory address instead');
  };
}

/** The first type within `type` that cannot be written; null if there is none. */
function unwritablePart(type: ColumnType): string | null {
  switch (type.kind) {
    case 'scalar':
      return unwritableTypes.has(type.name) ? type.name : null;
    case 'enum':
      return null;
    case 'array':
      return unwritablePart(type.element);
    case 'range':
    case 'multirange':
      return unwritablePart(type.subtype);
    case 'composite':
      return type.fields.map((field) => unwritablePart(field.type)).find((name) => name !== null) ?? null;
  }
}
