import { type DumpPart, type DumpSection, dumpSections } from '../../contract/dump-request.ts';
import { partTableText } from './part-table.ts';
import { longForm, optionFault, type ProgramOption, type Refused, readOptions } from './program-options.ts';
import { shellWords } from './shell-words.ts';

/** What options of pg_restore ask for. */
export interface RestoreOptions {
  /** What they say of the part that is restored. */
  readonly part: DumpPart;
  /** All others, each in one word and in its long form: `--no-owner`, `--role=app`. */
  readonly options: readonly string[];
  /** `--jobs`; null where they do not say. */
  readonly jobs: number | null;
  /** Whether less than all of a dump is asked for, or the database is to be cleaned: never in place of a whole database. */
  readonly isPart: boolean;
}

/** What becomes of an option: it says which part, it is passed on, or it is refused for a reason. */
type Meaning = 'part' | 'pass' | 'jobs';

const ofService: Refused = {
  refused: 'the database is that of the service: name it there, or give --into',
};
const oneTable: Refused = { refused: 'only tables, schemas and sections can be selected' };

/**
 * Every option of pg_restore that means something here; none else is accepted, since one that a later
 * pg_restore has may write files. https://www.postgresql.org/docs/current/app-pgrestore.html
 */
const known: readonly ProgramOption<Meaning>[] = [
  { name: 'data-only', short: 'a', meaning: 'part' },
  { name: 'schema-only', short: 's', meaning: 'part' },
  { name: 'clean', short: 'c', meaning: 'part' },
  { name: 'if-exists', meaning: 'part' },
  { name: 'table', short: 't', value: true, meaning: 'part' },
  { name: 'schema', short: 'n', value: true, meaning: 'part' },
  { name: 'section', value: true, meaning: 'part' },
  { name: 'exclude-schema', short: 'N', value: true, meaning: 'pass' },
  { name: 'no-owner', short: 'O', meaning: 'pass' },
  { name: 'no-privileges', short: 'x', meaning: 'pass' },
  { name: 'no-acl', meaning: 'pass' },
  { name: 'no-comments', meaning: 'pass' },
  { name: 'no-publications', meaning: 'pass' },
  { name: 'no-subscriptions', meaning: 'pass' },
  { name: 'no-security-labels', meaning: 'pass' },
  { name: 'no-tablespaces', meaning: 'pass' },
  { name: 'no-table-access-method', meaning: 'pass' },
  { name: 'no-data-for-failed-tables', meaning: 'pass' },
  { name: 'disable-triggers', meaning: 'pass' },
  { name: 'enable-row-security', meaning: 'pass' },
  { name: 'exit-on-error', short: 'e', meaning: 'pass' },
  { name: 'single-transaction', short: '1', meaning: 'pass' },
  { name: 'strict-names', meaning: 'pass' },
  { name: 'use-set-session-authorization', meaning: 'pass' },
  { name: 'verbose', short: 'v', meaning: 'pass' },
  { name: 'role', value: true, meaning: 'pass' },
  { name: 'superuser', short: 'S', value: true, meaning: 'pass' },
  { name: 'no-password', short: 'w', meaning: 'pass' },
  { name: 'jobs', short: 'j', value: true, meaning: 'jobs' },
  { name: 'dbname', short: 'd', value: true, meaning: ofService },
  { name: 'host', short: 'h', value: true, meaning: ofService },
  { name: 'port', short: 'p', value: true, meaning: ofService },
  { name: 'username', short: 'U', value: true, meaning: ofService },
  { name: 'password', short: 'W', meaning: { refused: 'the password is that of the service' } },
  {
    name: 'create',
    short: 'C',
    meaning: { refused: 'it would load another database than the one asked for; Thaw makes it itself' },
  },
  {
    name: 'file',
    short: 'f',
    value: true,
    meaning: { refused: 'it writes a file instead of loading a database' },
  },
  { name: 'list', short: 'l', meaning: { refused: 'it restores nothing; `thaw dumps` tells what there is' } },
  { name: 'use-list', short: 'L', value: true, meaning: { refused: 'it reads a file of the worker' } },
  { name: 'filter', value: true, meaning: { refused: 'it reads a file of the worker' } },
  { name: 'restrict-key', value: true, meaning: { refused: 'it is for scripts only' } },
  { name: 'format', short: 'F', value: true, meaning: { refused: 'the format is known by the dump itself' } },
  { name: 'index', short: 'I', value: true, meaning: oneTable },
  { name: 'function', short: 'P', value: true, meaning: oneTable },
  { name: 'trigger', short: 'T', value: true, meaning: oneTable },
  { name: 'help', short: '?', meaning: { refused: 'it restores nothing' } },
  { name: 'version', short: 'V', meaning: { refused: 'it restores nothing' } },
];

/** Options of pg_restore that take the whole dump, but not the whole of it. */
const leavesOut = 'exclude-schema';

/**
 * Reads options of pg_restore as `RESTORE_OPTIONS` has them: words as on a command line, run by no shell.
 *
 * @param name of the setting, for messages
 * @param isCleaned whether `--clean` is asked for elsewhere
 * @throws ThawError `InputInvalid` naming the option that is not known, refused, or contradicts another
 */
export function parseRestoreOptions(
  text: string,
  name = 'RESTORE_OPTIONS',
  isCleaned = false,
): RestoreOptions {
  return readRestoreOptions(shellWords(text, name), name, isCleaned);
}

/** As {@link parseRestoreOptions}, of words. */
export function readRestoreOptions(
  words: readonly string[],
  name = 'RESTORE_OPTIONS',
  isCleaned = false,
): RestoreOptions {
  const given = readOptions(words, known, { program: 'pg_restore', name });
  const has = (option: string) => given.some((one) => one.option.name === option);
  const values = (option: string) =>
    given.filter((one) => one.option.name === option).map((one) => one.value);
  const part: DumpPart = {
    tables: values('table').map(partTableText),
    schemas: values('schema'),
    sections: values('section').map((section) => readSection(section, name)),
    dataOnly: has('data-only'),
    schemaOnly: has('schema-only'),
    clean: has('clean'),
  };
  if (has('if-exists') && !part.clean && !isCleaned)
    throw optionFault(name, '--if-exists', 'it needs --clean');
  checkPart(part, name);
  const jobs = values('jobs').map((text) => readJobs(text, name));
  const passed = given.filter(({ option }) => option.meaning === 'pass').map(longForm);
  return {
    part,
    options: [...new Set(passed)],
    jobs: jobs.at(-1) ?? null,
    isPart: has(leavesOut) || isPart(part),
  };
}

/** Whether a part is less than all of a dump, or removes something first. */
export function isPart(part: DumpPart): boolean {
  const { tables, schemas, sections, dataOnly, schemaOnly, clean } = part;
  return tables.length + schemas.length + sections.length > 0 || dataOnly || schemaOnly || clean;
}

/** @throws ThawError `InputInvalid` for what pg_restore does not do together */
export function checkPart(part: DumpPart, name: string): void {
  if (part.dataOnly && part.schemaOnly)
    throw optionFault(name, '--data-only', 'it contradicts --schema-only');
  if (part.dataOnly && part.clean) throw optionFault(name, '--clean', 'it contradicts --data-only');
}

function readSection(text: string, name: string): DumpSection {
  const section = dumpSections.find((one) => one === text);
  if (section === undefined) throw optionFault(name, '--section', `it is one of ${dumpSections.join(', ')}`);
  return section;
}

function readJobs(text: string, name: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw optionFault(name, '--jobs', 'it is a number from 1 to 999');
  return Number(text);
}
