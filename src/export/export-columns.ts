import { archivedType } from '../archive/archived-type.ts';
import { archiverKeys } from '../archive/archiver-keys.ts';
import * as ascii from '../archive/ascii.ts';
import { type Encoder, encodeScalar } from '../archive/encoder.ts';
import { encoderOf } from '../archive/encoder-table.ts';
import { skipValue } from '../archive/json-scan.ts';
import type { ArchivedSchema } from '../archive/metadata.ts';
import type { RecordParts } from '../archive/record.ts';

/** A column of an export, and how its values become COPY text. */
export interface ExportColumn {
  readonly name: string;
  readonly encoder: Encoder;
}

/**
 * The columns that the archived schema tells, in the order of the table.
 *
 * @param left columns to leave out besides those of the archiver
 * @param nestedJson columns of json known to hold nested values; see `RestartNested`
 */
export function columnsOfSchema(
  schema: ArchivedSchema,
  left: ReadonlySet<string>,
  nestedJson: ReadonlySet<string>,
): ExportColumn[] {
  return schema.columns
    .filter(({ name }) => !archiverKeys.has(name) && !left.has(name))
    .map((column) => {
      const type = archivedType(column);
      const encoder =
        type === null ? encodeUnknown : encoderOf({ ...column, key: column.name, type }, { nestedJson });
      return { name: column.name, encoder: encoder === encodeScalar ? encodeUnknown : encoder };
    });
}

/** The columns that a record has, where nothing tells their types. */
export function columnsOfRecord({ fields }: RecordParts): ExportColumn[] {
  const names = new Set(fields.filter(({ constant }) => !constant).map(({ key }) => key));
  return [...names].map((name) => ({ name, encoder: encodeUnknown }));
}

/** A value of a type that is not known, or is written as it stands: an array or object stays JSON. */
const encodeUnknown: Encoder = (out, json, at) => {
  const first = json[at];
  if (first !== ascii.braceOpen && first !== ascii.bracketOpen) return out.scalar(json, at);
  const end = skipValue(json, at);
  out.escaped(json, at, end);
  return end;
};
