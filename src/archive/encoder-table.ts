import type { ColumnNoteKind } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ArchiveColumn, ColumnType } from './column-type.ts';
import { arrayOfArraysText, arrayText, encodePlainArray } from './encode-array.ts';
import { bitsText } from './encode-bits.ts';
import { byteaText, charText, encodeBytea } from './encode-bytea.ts';
import { compositeText } from './encode-composite.ts';
import { jsonEncoder, jsonText } from './encode-json.ts';
import * as numbers from './encode-numbers.ts';
import { encodePgText } from './encode-pg-text.ts';
import { multirangeText, rangeText } from './encode-range.ts';
import {
  type CalendarEnds,
  dayEnds,
  encodeMoment,
  encodeSaturated,
  intervalText,
  momentEnds,
  momentText,
  saturatedText,
  textOfScalar,
} from './encode-time.ts';
import { toJsonbEncoder } from './encode-to-jsonb.ts';
import { type Encoder, encoderOfText, encodeScalar, type TextOf } from './encoder.ts';
import { type JsonValue, scalarText } from './json-value.ts';
import { BadValue } from './slice-error.ts';
import type { ValueEncoding } from './value-encoding.ts';

/** What the encoders have to be told. */
export interface EncoderOptions {
  /** How the source writes values; the other choices are about the archiver's way alone. @default 'asyncpg' */
  readonly encoding?: ValueEncoding | undefined;
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

/** Is told of a value that is not, or may not be, what it was. */
export type TellNote = (kind: ColumnNoteKind) => void;

/** What the encoders of one column have to be told. */
interface ColumnOptions extends EncoderOptions {
  readonly note: TellNote;
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
const vector: ScalarRule = { text: numbers.vectorText, depth: 1 };

/**
 * The archiver's format, type table: what is not in it is copied as it stands, and PostgreSQL's input
 * function has the last word.
 */
export const scalarRules: ReadonlyMap<string, ScalarRule> = new Map([
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
  ['int2vector', vector],
  ['oidvector', vector],
  ['pg_lsn', { text: numbers.lsnText }],
]);

/** Types whose infinity the archiver wrote as an end of its calendar. */
export const saturatedTypes: ReadonlyMap<string, CalendarEnds> = new Map([
  ['timestamp', momentEnds],
  ['date', dayEnds],
]);

/** Types whose values the archiver destroyed: it wrote where in its memory they were. */
export const destroyedTypes: ReadonlySet<string> = new Set(['path', 'polygon']);
const memoryAddress = /^<[\w.]+ object at 0x[0-9a-f]+>$/;

/** Types that PostgreSQL writes and never reads. */
export const unwritableTypes: ReadonlySet<string> = new Set([
  'pg_node_tree',
  'pg_ndistinct',
  'pg_dependencies',
  'pg_mcv_list',
]);

/**
 * The encoder of a column, chosen by its type and the encoding of the source, and by nothing else.
 *
 * @param note told of values that are not, or may not be, what they were
 * @throws ThawError `SchemaIncompatible` for a type that no value can be written to.
 */
export function encoderOf(
  column: ArchiveColumn,
  choices: EncoderOptions,
  note: TellNote = () => {},
): Encoder {
  const { type } = column;
  const options = { ...choices, note };
  const unwritable = unwritablePart(type);
  if (unwritable !== null) {
    throw new ThawError(
      'SchemaIncompatible',
      `Column ${column.name} is of type ${type.name}: PostgreSQL takes no values of type ${unwritable}.`,
    );
  }
  if (options.encoding === 'pg-text') return encodePgText;
  if (options.encoding === 'to_jsonb') return toJsonbEncoder(column);
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
function ruleOf(name: string, options: ColumnOptions): ScalarRule | null {
  if (destroyedTypes.has(name)) return { text: destroyedText(options) };
  const ends = saturatedTypes.get(name);
  return ends === undefined ? (scalarRules.get(name) ?? null) : saturatedRule(ends, options);
}

function saturatedRule(ends: CalendarEnds, { infinity, note }: ColumnOptions): ScalarRule {
  const change = saturatedText(ends, infinity === 'map', note);
  return { text: textOfScalar(change), encoder: encodeSaturated(change) };
}

function isPlain(type: ColumnType, options: ColumnOptions): boolean {
  return type.kind === 'enum' || (type.kind === 'scalar' && ruleOf(type.name, options) === null);
}

function textOf(type: ColumnType, options: ColumnOptions): TextOf {
  switch (type.kind) {
    case 'scalar':
      return ruleOf(type.name, options)?.text ?? textOfScalar((text) => text);
    case 'enum':
      return textOfScalar((text) => text);
    case 'array':
      if (type.element.kind === 'array') {
        return arrayOfArraysText(textOf(type.element, options), type.delimiter);
      }
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
function depthOf(type: ColumnType, options: ColumnOptions): number {
  if (type.kind === 'multirange') return 1;
  return type.kind === 'scalar' ? (ruleOf(type.name, options)?.depth ?? 0) : 0;
}

function destroyedText({ unrestorable, note }: ColumnOptions): TextOf {
  return (value: JsonValue) => {
    if (value === null) return null;
    const text = scalarText(value);
    if (!memoryAddress.test(text)) return text;
    if (unrestorable === 'null') {
      note('unrestorable');
      return null;
    }
    throw new BadValue(
      'has a value that the archiver destroyed: it wrote a memory address instead',
      'With --unrestorable null the row is restored, with NULL in place of the value.',
    );
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
