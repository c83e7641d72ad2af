import type { BackupFormat } from '../../contract/backup-request.ts';
import { longForm, optionFault, type ProgramOption, type Refused, readOptions } from './program-options.ts';
import { shellWords } from './shell-words.ts';

/** What options of pg_dump ask for. */
export interface BackupOptions {
  /** @default 'tar' */
  readonly format: BackupFormat;
  /** All others, each in one word and in its long form: `--no-owner`, `--schema=app`. */
  readonly options: readonly string[];
}

type Meaning = 'format' | 'pass';

const ofUrl: Refused = { refused: 'BACKUP_DATABASE_URL says it' };

/** Options that take no value. */
const flags: readonly (readonly [name: string, short?: string])[] = [
  ['data-only', 'a'],
  ['schema-only', 's'],
  ['blobs', 'b'],
  ['large-objects'],
  ['no-blobs', 'B'],
  ['no-large-objects'],
  ['clean', 'c'],
  ['create', 'C'],
  ['if-exists'],
  ['no-owner', 'O'],
  ['no-privileges', 'x'],
  ['no-acl'],
  ['column-inserts'],
  ['attribute-inserts'],
  ['inserts'],
  ['on-conflict-do-nothing'],
  ['disable-dollar-quoting'],
  ['disable-triggers'],
  ['enable-row-security'],
  ['load-via-partition-root'],
  ['no-comments'],
  ['no-policies'],
  ['no-publications'],
  ['no-security-labels'],
  ['no-subscriptions'],
  ['no-table-access-method'],
  ['no-tablespaces'],
  ['no-toast-compression'],
  ['no-unlogged-table-data'],
  ['quote-all-identifiers'],
  ['serializable-deferrable'],
  ['no-synchronized-snapshots'],
  ['strict-names'],
  ['use-set-session-authorization'],
  ['no-sync'],
  ['no-password', 'w'],
  ['verbose', 'v'],
];

const withValue: readonly (readonly [name: string, short?: string])[] = [
  ['extension', 'e'],
  ['encoding', 'E'],
  ['schema', 'n'],
  ['exclude-schema', 'N'],
  ['exclude-extension'],
  ['table', 't'],
  ['table-and-children'],
  ['exclude-table', 'T'],
  ['exclude-table-and-children'],
  ['exclude-table-data'],
  ['exclude-table-data-and-children'],
  ['superuser', 'S'],
  ['section'],
  ['extra-float-digits'],
  ['rows-per-insert'],
  ['include-foreign-data'],
  ['lock-wait-timeout'],
  ['compress', 'Z'],
  ['snapshot'],
  ['role'],
];

/**
 * Every option of pg_dump that means something here; none else is accepted, since one that a later pg_dump has may
 * write files. https://www.postgresql.org/docs/current/app-pgdump.html
 */
const known: readonly ProgramOption<Meaning>[] = [
  { name: 'format', short: 'F', value: true, meaning: 'format' },
  ...flags.map(([name, short]) => ({ name, ...(short ? { short } : {}), meaning: 'pass' as const })),
  ...withValue.map(([name, short]) => ({
    ...{ name, value: true as const },
    ...(short ? { short } : {}),
    meaning: 'pass' as const,
  })),
  { name: 'dbname', short: 'd', value: true, meaning: ofUrl },
  { name: 'host', short: 'h', value: true, meaning: ofUrl },
  { name: 'port', short: 'p', value: true, meaning: ofUrl },
  { name: 'username', short: 'U', value: true, meaning: ofUrl },
  { name: 'password', short: 'W', meaning: ofUrl },
  {
    name: 'file',
    short: 'f',
    value: true,
    meaning: { refused: 'the dump goes to the store, and touches no disk' },
  },
  { name: 'jobs', short: 'j', value: true, meaning: { refused: 'a dump that is streamed has one session' } },
  { name: 'filter', value: true, meaning: { refused: 'it reads a file of the worker' } },
  { name: 'restrict-key', value: true, meaning: { refused: 'pg_dump chooses the key itself' } },
  { name: 'binary-upgrade', meaning: { refused: 'what it writes can be restored by pg_upgrade only' } },
  { name: 'help', short: '?', meaning: { refused: 'it dumps nothing' } },
  { name: 'version', short: 'V', meaning: { refused: 'it dumps nothing' } },
];

const formats: Readonly<Record<string, BackupFormat>> = {
  t: 'tar',
  tar: 'tar',
  c: 'custom',
  custom: 'custom',
  p: 'plain',
  plain: 'plain',
};

/**
 * Reads options of pg_dump as `BACKUP_OPTIONS` has them: words as on a command line, run by no shell.
 *
 * @param name of the setting, for messages
 * @throws ThawError `InputInvalid` naming the option that is not known, refused, or contradicts another
 */
export function parseBackupOptions(text: string, name = 'BACKUP_OPTIONS'): BackupOptions {
  const given = readOptions(shellWords(text, name), known, { program: 'pg_dump', name });
  const word = given.findLast(({ option }) => option.meaning === 'format')?.value ?? 'tar';
  const format = formats[word.toLowerCase()];
  if (format === undefined) throw optionFault(name, '--format', 'it is one of tar, custom and plain here');
  if (format === 'tar' && given.some(({ option }) => option.name === 'compress')) {
    throw optionFault(name, '--compress', 'pg_dump cannot compress a tar; gzip does that here');
  }
  const passed = given.filter(({ option }) => option.meaning === 'pass').map(longForm);
  return { format, options: [...new Set(passed)] };
}
