import { z } from 'zod';
import * as ascii from '../archive/ascii.ts';
import { readValue, scalarText } from '../archive/json-value.ts';
import { parsePythonJson } from '../archive/python-json.ts';
import { type Field, RecordParts } from '../archive/record.ts';
import { BadValue, Malformed } from '../archive/slice-error.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** Stands for NULL among keys: no text of PostgreSQL holds it. */
export const nullKey = '\0';

/** What a deletion manifest says: which rows the archiver deleted from the source. */
export interface Manifest {
  /** The column that the keys are of. Of a key of several columns the archiver names the first. */
  readonly column: string;
  /** In the form of `keyText`. */
  readonly keys: ReadonlySet<string>;
}

const form = z.object({ manifest_info: z.object({ primary_key_column: z.string().min(1) }) });

/**
 * Reads a deletion manifest. Its keys are taken digit by digit, so that a bigint keeps all of them.
 *
 * @param key of the manifest, for messages
 * @throws ThawError `MetadataInvalid`
 */
export function parseManifest(bytes: Uint8Array, key: string): Manifest {
  try {
    const parsed = form.safeParse(parsePythonJson(bytes));
    if (!parsed.success) throw invalid(key, 'manifest_info.primary_key_column: missing');
    return { column: parsed.data.manifest_info.primary_key_column, keys: readKeys(bytes, key) };
  } catch (error) {
    if (error instanceof ThawError) throw error;
    if (error instanceof SyntaxError || error instanceof TypeError) throw invalid(key, 'it is not JSON');
    if (error instanceof Malformed || error instanceof BadValue) {
      throw invalid(key, 'primary_keys: not a list of keys');
    }
    throw error;
  }
}

function readKeys(bytes: Uint8Array, key: string): Set<string> {
  const json = oneLine(bytes);
  const parts = new RecordParts();
  parts.read(json, 0, fieldOf);
  const place = parts.fields.findLastIndex((field) => field.key === 'primary_keys');
  const start = parts.valueStarts[place];
  if (start === undefined) throw invalid(key, 'primary_keys: missing');
  const { value } = readValue(json, start);
  if (!Array.isArray(value)) throw invalid(key, 'primary_keys: not a list of keys');
  return new Set(value.map((each) => (each === null ? nullKey : keyText(scalarText(each)))));
}

/** The scanner ends at a newline. Within a JSON string there is none, so each may as well be a space. */
function oneLine(bytes: Uint8Array): Buffer {
  const line = Buffer.alloc(bytes.length + 1, ascii.newline);
  for (const [at, byte] of bytes.entries()) line[at] = byte === ascii.newline ? ascii.space : byte;
  return line;
}

const fieldOf = (key: string): Field => ({
  ...{ key, column: -1, encoder: null, constant: false, counted: false, values: 0, pending: 0 },
});

const momentForm = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d+)?)(?:Z|\+00:00)?$/;

/**
 * A key in the form in which data and manifest agree: the archiver writes moments in two ways,
 * `2026-01-02T03:04:05Z` with the row and `2026-01-02 03:04:05` in the manifest.
 */
export function keyText(text: string): string {
  return text.replace(momentForm, '$1 $2');
}

function invalid(key: string, what: string): ThawError {
  return new ThawError('MetadataInvalid', `${key}: ${what}.`, {
    object: key,
    stage: 'metadata',
    hint: 'The deletion manifest cannot be read; the archive itself may well be whole.',
  });
}
