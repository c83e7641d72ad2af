import { z } from 'zod';
import { type DumpInput, defaultKeepOldSeconds } from '../../client/dump-input.ts';
import { type FieldNaming, fieldError, must, parseInput } from '../../client/restore-input.ts';
import { parseSeconds } from '../../config/duration.ts';
import { dumpModes, dumpSections } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { parsePartTable } from '../../dump/tools/part-table.ts';
import { parseRestoreOptions } from '../../dump/tools/restore-options.ts';

/** What `source_ref` says where the newest dump is meant. */
export const latest = 'latest';

const text = z
  .string(must('must be text'))
  .min(1, 'must not be empty')
  .max(10_000, 'must have at most 10,000 characters');
const flag = z.boolean(must('must be true or false'));

/** PostgreSQL cuts longer names, and would then mean another one. */
const name = text.refine((value) => Buffer.byteLength(value) <= 63, 'must have at most 63 bytes');

function list(each: z.ZodString, what: string) {
  return z.array(each, must(`must be a list of ${what}`)).max(1000, 'must have at most 1000 entries');
}

function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, must(`must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`));
}

function whole(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.int(must(message)).min(least, message).max(most, message);
}

/** What is said of a restore of a dump besides which one, by the names of the flags of `thaw restore-dump`. */
export const dumpOptions = z.strictObject(
  {
    service: text.optional().describe('Service whose dump it is; default: the only one.'),
    before: z.iso
      .datetime({ offset: true, ...must('must be a time such as 2026-01-04T12:00:00Z') })
      .optional()
      .describe('Of latest: the newest one that is not later.'),
    fallback: whole(0, 1000)
      .default(0)
      .describe('Where the dump is not good, so many earlier ones are tried.'),
    mode: oneOf(dumpModes)
      .optional()
      .describe('Beside the live database and swapped by rename, in place of it, or into it.'),
    into: name.optional().describe('Database of this name on the same server.'),
    create: flag.default(false).describe('Makes the database where it is not there.'),
    owner: name.optional().describe('Owner of the database and its objects; default: as the live one.'),
    keep_old: text
      .refine((value) => keepTime(value) !== null, 'must be a time such as 90m, 24h or 7d, or 0')
      .default('24h')
      .describe('How long the old database is kept after a swap.'),
    only_tables: list(text.refine(isPartTable, 'must be table or schema.table'), 'tables')
      .default([])
      .describe('Only these tables: table or schema.table.'),
    only_schemas: list(text, 'schemas').default([]).describe('Only these schemas.'),
    sections: z
      .array(oneOf(dumpSections), must('must be a list of sections'))
      .max(3, 'must have at most 3 entries')
      .default([])
      .describe('Only these sections.'),
    data_only: flag.default(false).describe('Rows alone.'),
    schema_only: flag.default(false).describe('No rows.'),
    clean: flag.default(false).describe('Drops what the dump holds first.'),
    restore_options: text.optional().describe('Further options of pg_restore, in one text.'),
    jobs: whole(1, 999).optional().describe('Sessions that load a custom or directory dump; default: cores.'),
    allow_errors: flag.default(false).describe('Errors that pg_restore passes over are no failure.'),
    dry_run: flag.default(false).describe('Looks at everything, and touches nothing.'),
    checks: list(text, 'statements').default([]).describe('SQL that must give true after the load.'),
    check_urls: list(text.refine(isHttp, 'must be an http or https URL'), 'URLs')
      .default([])
      .describe('URLs that must answer with success after the load.'),
  },
  must('must be an object of settings'),
);

/** Which dump. */
export const dumpRef = text
  .max(1024, 'must have at most 1024 characters')
  .refine(isKey, 'must be latest or the key of a dump, never a path of a file')
  .describe('latest, or the key of a dump, with or without the subfolder.');

/**
 * What settings of a restore of a dump ask for.
 *
 * @param naming how messages name an option
 * @throws ThawError `InputInvalid` with a line `field: reason (got value)` for each thing wrong
 */
export function toDumpInput(sourceRef: unknown, options: unknown, naming: FieldNaming): DumpInput {
  const { source_ref: ref } = parseInput(z.object({ source_ref: dumpRef }), {
    source_ref: sourceRef ?? undefined,
  });
  const given = parseInput(dumpOptions, options ?? {}, naming);
  const { service, before, mode, into, create, owner, fallback, jobs, checks } = given;
  if (before !== undefined && ref !== latest) {
    throw fieldError(naming('before'), 'belongs to the source_ref latest only', before);
  }
  checkRestoreOptions(given.restore_options ?? '', naming('restore_options'));
  return {
    service: service ?? null,
    choice:
      ref === latest
        ? { kind: 'latest', before: before === undefined ? null : new Date(before).toISOString() }
        : { kind: 'key', key: ref },
    mode: mode ?? null,
    into: into ?? null,
    create,
    owner: owner ?? null,
    part: {
      tables: given.only_tables,
      schemas: given.only_schemas,
      sections: given.sections,
      dataOnly: given.data_only,
      schemaOnly: given.schema_only,
      clean: given.clean,
    },
    restoreOptions: given.restore_options ?? '',
    fallback,
    keepOldSeconds: keepTime(given.keep_old) ?? defaultKeepOldSeconds,
    jobs: jobs ?? null,
    allowErrors: given.allow_errors,
    checks,
    checkUrls: given.check_urls,
    dryRun: given.dry_run,
  };
}

/** What is wrong in it is told of the field. */
function checkRestoreOptions(options: string, field: string): void {
  try {
    parseRestoreOptions(options, field);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    const message = error.message.startsWith(`${field}:`) ? error.message : `${field}: ${error.message}`;
    throw new ThawError('InputInvalid', message, { object: field, hint: error.hint, cause: error });
  }
}

function keepTime(value: string): number | null {
  return value === '0' ? 0 : parseSeconds(value);
}

function isKey(value: string): boolean {
  return value.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
}

function isPartTable(value: string): boolean {
  try {
    return parsePartTable(value) !== null;
  } catch {
    return false;
  }
}

function isHttp(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}
