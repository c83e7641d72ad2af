import * as ascii from './ascii.ts';
import type { Encoder } from './encoder.ts';
import { skipBlanks, skipColon, skipString, skipValue } from './json-scan.ts';
import { Malformed } from './slice-error.ts';

/** What is known of a key of the archive's records. */
export interface Field {
  readonly key: string;
  /** Index of the column that takes the value; -1: none does. */
  readonly column: number;
  readonly encoder: Encoder | null;
  /** One of the archiver's own keys, whose values are the same in all records of an archive. */
  readonly constant: boolean;
  /** Whether values that no column takes are counted. */
  readonly counted: boolean;
  /** Values other than null that were met, if they are counted. */
  values: number;
  /** 1 if the value in the record being sliced is other than null. */
  pending: number;
}

/** The parts of one record, found by going through all of it. Reused from record to record. */
export class RecordParts {
  /** The keys in their order; a key that comes twice is there twice. */
  readonly fields: Field[] = [];
  /** Where the bytes between the value before (or the start of the line) and this value begin. */
  readonly literalStarts: number[] = [];
  readonly valueStarts: number[] = [];
  readonly valueEnds: number[] = [];
  /** Index of the record's first byte. */
  start = 0;
  /** Index behind the newline. */
  end = 0;

  /** Reads the object that begins at `at`, which is not blank; `fieldOf` tells what is known of a key. */
  read(json: Buffer, at: number, fieldOf: (key: string) => Field): void {
    this.fields.length = 0;
    this.literalStarts.length = 0;
    this.valueStarts.length = 0;
    this.valueEnds.length = 0;

    this.start = at;
    let literalStart = at;
    let p = skipBlanks(json, at);
    if (json[p] !== ascii.braceOpen) throw new Malformed(p, 'no JSON object');
    p = skipBlanks(json, p + 1);
    if (json[p] !== ascii.braceClose) {
      for (;;) {
        const keyEnd = this.#keyEnd(json, p);
        const valueStart = skipColon(json, keyEnd);
        const valueEnd = skipValue(json, valueStart);
        this.fields.push(fieldOf(keyAt(json, p, keyEnd)));
        this.literalStarts.push(literalStart);
        this.valueStarts.push(valueStart);
        this.valueEnds.push(valueEnd);
        literalStart = valueEnd;
        p = skipBlanks(json, valueEnd);
        if (json[p] === ascii.braceClose) break;
        if (json[p] !== ascii.comma) throw new Malformed(p, 'neither a comma nor the end of the object');
        p = skipBlanks(json, p + 1);
      }
    }
    p = skipBlanks(json, p + 1);
    if (json[p] !== ascii.newline) throw new Malformed(p, 'something behind the object');
    this.end = p + 1;
  }

  #keyEnd(json: Buffer, at: number): number {
    if (json[at] !== ascii.quote) throw new Malformed(at, 'no key where one must be');
    return skipString(json, at + 1);
  }
}

function keyAt(json: Buffer, start: number, end: number): string {
  const key = json.toString('utf8', start + 1, end - 1);
  return key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key;
}
