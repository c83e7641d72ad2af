import { Literal } from './literal.ts';
import type { Field, RecordParts } from './record.ts';

/**
 * What a record is expected to look like, taken from one before it: the same keys in the same order with
 * the same blanks between them, and the same bytes at its end. A record that does is sliced in one pass
 * over its bytes; any other is gone through the long way, and is the next one's expectation.
 */
export class RecordShape {
  /** The keys, without the constant ones at the end. No key comes twice. */
  readonly fields: readonly Field[];
  /** The bytes before each value: `{"id": `, then `, "name": ` and so on. */
  readonly literals: readonly Literal[];
  /** The bytes behind the last value, newline included: the archiver's own keys with their values, near half of a record. */
  readonly tail: Literal;
  /** The fields whose values are counted. */
  readonly counted: readonly Field[];

  constructor(json: Buffer, parts: RecordParts) {
    let count = parts.fields.length;
    while (count > 0 && parts.fields[count - 1]?.constant === true) count -= 1;

    this.fields = parts.fields.slice(0, count);
    this.literals = this.fields.map(
      (_, index) => new Literal(json.subarray(parts.literalStarts[index], parts.valueStarts[index])),
    );
    const tailStart = parts.literalStarts[count] ?? parts.valueEnds[count - 1] ?? parts.start;
    this.tail = new Literal(json.subarray(tailStart, parts.end));
    this.counted = this.fields.filter((field) => field.counted);
  }
}
