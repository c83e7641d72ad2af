import { z } from 'zod';
import { parseBytes } from '../config/byte-size.ts';
import {
  conflictStrategies,
  infinityChoices,
  schemaStrategies,
  unrestorableChoices,
} from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';

const text = z.string(must('must be text')).min(1, 'must not be empty');
const flag = z.boolean(must('must be true or false'));

/** A whole number from `least` to `most`; flags bring it as text. */
function whole(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
    z.int(must(message)).min(least, message).max(most, message),
  );
}

/** One of some words, in upper or lower case. */
function oneOf<const T extends readonly string[]>(words: T) {
  const message = `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return z.preprocess(
    (value) => (typeof value === 'string' ? value.toLowerCase() : value),
    z.enum(words, must(message)),
  );
}

/** The bare flag and the word `auto` are the same as true. */
const dropIndexes = z.preprocess(
  (value) => (typeof value === 'string' && value.toLowerCase() === 'auto' ? true : value),
  z.union([z.boolean(), z.literal('always')], must('must be true, false, auto or always')),
);

const day = text.refine(isDay, 'must be a day written YYYY-MM-DD');

const bytes = z.preprocess(
  (value) => (typeof value === 'string' ? (parseBytes(value) ?? value) : value),
  z.int(must('must be a number of bytes such as 4MiB')).min(0, 'must be a number of bytes such as 4MiB'),
);

/** Names of columns; a flag brings them as `a,b`. */
const names = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value),
  z.array(text, must('must be a list of columns')).min(1, 'must name at least one column'),
);

const archivedTable = z.union(
  [
    text,
    z.strictObject({
      table: text.describe('Table, as archived.'),
      schema: text.optional().describe('Schema that it was archived from.'),
      into_schema: text.optional().describe('Schema that its rows go into.'),
      into_table: text.optional().describe('Table that its rows go into.'),
    }),
  ],
  must('must be a table name, or an object with table, schema, into_schema and into_table'),
);

/**
 * What a restore takes: the JSON body of `POST /api/restores`, and by the same names with dashes the flags of
 * `thaw restore`. The one definition behind both.
 */
export const restoreInput = z.strictObject(
  {
    database: text.optional().describe('Database, as configured; taken from the key where one is given.'),
    table: text.optional().describe('Table to restore, as archived.'),
    tables: z
      .array(archivedTable, must('must be a list of tables'))
      .min(1, 'must name at least one table')
      .optional()
      .describe('Several tables, each a name or an object.'),
    schema: text
      .optional()
      .describe('Schema that the rows go into; default: the configured one of the table, then public.'),
    into_table: text.optional().describe('Table that the rows go into; default: the one of the same name.'),
    s3_key: text.optional().describe('One archive to restore, with or without the prefix.'),
    s3_keys: z.array(text).min(1, 'must name at least one key').optional().describe('Several archives.'),
    restore_all: flag.default(false).describe('Every archive of each table.'),
    start_date: day.optional().describe('First day of archiving, YYYY-MM-DD, inclusive.'),
    end_date: day.optional().describe('Last day of archiving, YYYY-MM-DD, inclusive.'),
    conflict_strategy: oneOf(conflictStrategies)
      .default('skip')
      .describe('What happens to a row whose key is there: skip, overwrite, fail or upsert.'),
    schema_migration_strategy: oneOf(schemaStrategies)
      .default('lenient')
      .describe('What happens when archived columns are not those of the table.'),
    key: names.optional().describe('Columns that tell rows apart; default: the key of the table.'),
    columns: names.optional().describe('Archived columns to restore; default: all.'),
    map_column: z
      .record(text, text, must('must be an object of archived names to names of the table'))
      .optional()
      .describe('Archived column to column of the table, where their names differ.'),
    disable_triggers: flag
      .default(false)
      .describe('Keeps triggers of the table from firing on what is restored.'),
    undoable: flag.default(false).describe('Keeps what the restore changes, so that it can be undone.'),
    create_table: flag
      .default(false)
      .describe('Makes a table that is not there from the schema in its archives.'),
    unrestorable: oneOf(unrestorableChoices)
      .default('fail')
      .describe('Values that the archiver destroyed: their rows fail, or they become NULL.'),
    infinity: oneOf(infinityChoices)
      .default('keep')
      .describe('Times at the end of the calendar: kept, or mapped to the infinity that they may stand for.'),
    rows_from: text.optional().describe("Only rows from this time on, by the table's own timestamp column."),
    rows_to: text.optional().describe('Only rows before this time; a day alone is included.'),
    max_rejects: whole(0, 1_000_000).default(0).describe('Bad rows of an archive that are put aside.'),
    batch_size: whole(1, 10_000_000).optional().describe('Rows merged by one statement.'),
    verify_first: flag
      .default(false)
      .describe(
        'Reads every archive of all tables to its end first, and loads nothing at all if one is bad or missing.',
      ),
    trust_watermark: flag
      .default(false)
      .describe("Believes a watermark that the archiver's own tool wrote for some target."),
    drop_indexes: dropIndexes
      .default(false)
      .describe(
        'Drops plain indexes for the load and builds them again: true where that pays, always in any case.',
      ),
    commit_frequency: whole(1, 100_000).optional().describe('Archives in one transaction.'),
    ignore_watermark: flag.default(false).describe('Restores again what was restored before.'),
    validate_checksum: flag.default(true).describe('Compares archives with their checksums.'),
    lanes: whole(1, 64).default(4).describe('Concurrent loads for each table.'),
    pack_bytes: bytes
      .default(4 * 1024 * 1024)
      .describe('Compressed bytes of small archives that are loaded together; 0: none are.'),
    fail_fast: flag.default(false).describe('Starts nothing more after the first archive that failed.'),
    dry_run: flag.default(false).describe('Tells what would be restored and changes nothing.'),
    detect_conflicts: flag
      .default(true)
      .describe('In a dry run: counts rows exactly, by loading them into temporary tables.'),
  },
  must('must be an object of settings'),
);

/** What a restore takes, with defaults filled in. */
export type RestoreInput = z.output<typeof restoreInput>;

/** A setting's name, and how messages name it: an API says `start_date`, a command line `--start-date`. */
export type FieldNaming = (field: string) => string;

/**
 * Checks what a restore is asked for.
 *
 * @param naming how messages name a field; @default as it stands in JSON
 * @throws ThawError `InputInvalid` with a line `field: reason (got value)` for each thing wrong
 */
export function parseRestoreInput(input: unknown, naming: FieldNaming = asIs): RestoreInput {
  return parseInput(restoreInput, input, naming);
}

/**
 * Checks what a user sent against what may be said.
 *
 * @throws ThawError `InputInvalid` with a line `field: reason (got value)` for each thing wrong
 */
export function parseInput<T extends z.ZodType>(
  schema: T,
  input: unknown,
  naming: FieldNaming = asIs,
): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => linesOf(issue, input, naming));
  throw new ThawError('InputInvalid', lines.join('\n'), { object: lines[0]?.split(':')[0] });
}

/** The error of one field: `field: reason (got value)`. */
export function fieldError(field: string, reason: string, got?: unknown, hint?: string): ThawError {
  return new ThawError('InputInvalid', `${field}: ${reason}${gotten(got)}`, { object: field, hint });
}

/** Names a field as it stands in JSON. */
export function asIs(field: string): string {
  return field;
}

function linesOf(issue: z.core.$ZodIssue, input: unknown, naming: FieldNaming): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${placeOf([...issue.path, key], naming)}: is not known`);
  }
  const value = issue.path.reduce<unknown>(
    (node, step) => (typeof node === 'object' && node !== null ? Reflect.get(node, step) : undefined),
    input,
  );
  const place = issue.path.length === 0 ? 'the request' : placeOf(issue.path, naming);
  return [`${place}: ${issue.message}${gotten(value)}`];
}

function placeOf(path: readonly PropertyKey[], naming: FieldNaming): string {
  const [field, ...rest] = path.map(String);
  return [naming(field ?? ''), ...rest].join('.');
}

function gotten(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return ' (got a list)';
  if (typeof value === 'object') return ' (got an object)';
  return ` (got ${typeof value === 'string' ? JSON.stringify(value) : String(value)})`;
}

/** An error text for a field that is there but wrong; a field that is absent `is required`. */
export function must(message: string) {
  return { error: (issue: { input?: unknown }) => (issue.input === undefined ? 'is required' : message) };
}

/** A day of the calendar: not 2026-02-30. */
function isDay(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const time = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value);
}
