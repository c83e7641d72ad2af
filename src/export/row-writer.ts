import * as ascii from '../archive/ascii.ts';
import { CopyText } from '../archive/copy-text.ts';
import { skipBlanks } from '../archive/json-scan.ts';
import type { RecordParts } from '../archive/record.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { copyField } from '../validate/copy-fields.ts';
import { columnsOfRecord, type ExportColumn } from './export-columns.ts';

export const exportFormats = ['jsonl', 'csv', 'copy'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** Writes records in one format. */
export interface RowWriter {
  /** Names of the columns, once they are known; null for a format that needs none. */
  readonly columns: readonly string[] | null;
  write(json: Buffer, parts: RecordParts): void;
  /** What was written since it was last asked. */
  take(): Buffer;
}

/** Records as archived, byte for byte, without the keys that the archiver added. */
export class JsonLinesWriter implements RowWriter {
  readonly columns = null;
  #pieces: Buffer[] = [];

  write(json: Buffer, parts: RecordParts): void {
    let begin = open;
    for (const [place, field] of parts.fields.entries()) {
      if (field.constant) continue;
      // Before the key stands a brace or a comma, and blanks.
      const key = skipBlanks(json, skipBlanks(json, parts.literalStarts[place] ?? 0) + 1);
      this.#pieces.push(begin, json.subarray(key, parts.valueEnds[place]));
      begin = comma;
    }
    this.#pieces.push(begin === open ? empty : close);
  }

  take(): Buffer {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return bytes;
  }
}

const open = Buffer.from('{');
const comma = Buffer.from(', ');
const close = Buffer.from('}\n');
const empty = Buffer.from('{}\n');

/** What the formats with columns have in common: each value as COPY text. */
abstract class FieldWriter implements RowWriter {
  protected readonly out = new CopyText();
  #columns: readonly ExportColumn[] | null;
  #places = new Map<string, number>();

  /** @param columns null: those of the first record */
  constructor(columns: readonly ExportColumn[] | null) {
    this.#columns = columns;
  }

  get columns(): readonly string[] | null {
    return this.#columns?.map(({ name }) => name) ?? null;
  }

  abstract take(): Buffer;
  protected abstract field(start: number, isFirst: boolean): void;
  protected abstract endRow(): void;

  write(json: Buffer, parts: RecordParts): void {
    this.#columns ??= columnsOfRecord(parts);
    const { out } = this;
    out.reserve(json, parts.end - parts.start);
    this.#places.clear();
    for (const [place, { key, constant }] of parts.fields.entries()) {
      if (!constant) this.#places.set(key, place);
    }
    let isFirst = true;
    for (const { name, encoder } of this.#columns) {
      const at = parts.valueStarts[this.#places.get(name) ?? -1];
      this.#places.delete(name);
      const start = out.length;
      out.ensure(4);
      if (at === undefined) out.null();
      else encoder(out, json, at);
      this.field(start, isFirst);
      isFirst = false;
    }
    const [unknown] = this.#places.keys();
    if (unknown !== undefined) throw unknownKey(unknown);
    this.endRow();
  }
}

/** The text format of COPY, for `\copy … from`. */
export class CopyWriter extends FieldWriter {
  protected field(): void {
    this.out.byte(ascii.tab);
  }

  protected endRow(): void {
    if (this.out.length > 0) this.out.bytes[this.out.length - 1] = ascii.newline;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.out.bytes.subarray(0, this.out.length));
    this.out.length = 0;
    return bytes;
  }
}

/** CSV with a header, for `\copy … with (format csv, header)`: NULL is nothing, an empty string is `""`. */
export class CsvWriter extends FieldWriter {
  #text: string[] = [];
  #hasHeader = false;

  protected field(start: number, isFirst: boolean): void {
    if (!this.#hasHeader) this.#header();
    const { out } = this;
    const value = copyField(out.bytes, start, out.length);
    out.length = start;
    this.#text.push(isFirst ? csvField(value) : `,${csvField(value)}`);
  }

  protected endRow(): void {
    this.#text.push('\n');
  }

  take(): Buffer {
    const bytes = Buffer.from(this.#text.join(''));
    this.#text = [];
    return bytes;
  }

  #header(): void {
    this.#text.push(`${(this.columns ?? []).map(csvField).join(',')}\n`);
    this.#hasHeader = true;
  }
}

/** Quotes what is not plain. A line `\.` would end the data, so it is quoted too. */
function csvField(value: string | null): string {
  if (value === null) return '';
  const isPlain = value !== '' && value !== '\\.' && !/[",\r\n]/.test(value);
  return isPlain ? value : `"${value.replaceAll('"', '""')}"`;
}

function unknownKey(key: string): ThawError {
  return new ThawError(
    'SchemaIncompatible',
    `A record has ${key}, which is none of the columns of the export.`,
    {
      stage: 'slice',
      hint: 'The table had other columns in earlier archives. Export them apart, or with --format jsonl.',
    },
  );
}
