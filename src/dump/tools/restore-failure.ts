import { ThawError } from '../../contract/thaw-error.ts';
import { sqlState } from '../../postgres/sqlstate.ts';
import type { Programs } from './client-programs.ts';
import type { ProgramMessage, ProgramMessages } from './program-messages.ts';
import type { ProgramEnd } from './run-program.ts';

/** A run of pg_restore or psql that has ended. */
export interface RestoreRun {
  readonly name: 'pg_restore' | 'psql';
  readonly end: ProgramEnd;
  readonly messages: ProgramMessages;
  /** Names the dump in errors. */
  readonly dump: string;
  /** The database that was loaded. */
  readonly database: string;
  readonly programs: Programs;
  /** Errors that were ignored are none. */
  readonly allowErrors: boolean;
}

/** Messages that a failure repeats. */
const repeated = 5;

/**
 * Major versions of PostgreSQL by the version of the archive's header that they brought.
 * https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/pg_backup_archiver.h
 */
const versionOfHeader: Readonly<Record<string, number>> = { '1.13': 10, '1.14': 12, '1.15': 16, '1.16': 17 };

/** pg_restore of 17 and newer sets it on every server; one that does not have it has nothing to lose. */
const harmless = /unrecognized configuration parameter "transaction_timeout"$/;

/** What pg_restore says of a file that is cut short, damaged, or none at all. */
const damaged =
  /does not appear to be a valid archive|could not read from input file|unexpected end of file|could not find (?:header for|block ID)|did not find magic string|found unexpected block ID|corrupt|could not uncompress|invalid .* in file header|file too short|incomplete tar header|unexpected (?:data|section)/i;

/**
 * What the end of a program means.
 *
 * @returns null where the dump was loaded
 */
export function restoreFailure(run: RestoreRun): ThawError | null {
  const { end, messages, name, database, dump } = run;
  if (end.signal === null && messages.lostConnection && end.code !== 0) {
    return new ThawError('DatabaseUnavailable', `${name} lost its connection to "${database}"`, {
      object: database,
    });
  }
  if (end.signal !== null) {
    return new ThawError('DatabaseUnavailable', `${name} was ended by ${end.signal} before it was done`, {
      object: dump,
      hint: 'It is tried again. Look in the log of the machine whether memory ran out.',
    });
  }
  if (isLoaded(run)) return null;
  return aboutFile(run) ?? aboutServer(run) ?? rejected(run);
}

/** Lines for `DumpLoad.warnings`: warnings, and the errors that were ignored. */
export function warningLines({ errors, warnings }: ProgramMessages): string[] {
  return [...errors, ...warnings].map(({ severity, text }) => `${severity}: ${text}`).slice(0, 20);
}

function isLoaded({ end, messages, name, allowErrors }: RestoreRun): boolean {
  if (end.code === 0 && (allowErrors || messages.errorCount === 0)) return true;
  if (name !== 'pg_restore' || messages.ignored === null) return false;
  return allowErrors || messages.ignored <= messages.errors.filter(({ text }) => harmless.test(text)).length;
}

function aboutFile({ messages, dump, programs, name }: RestoreRun): ThawError | null {
  if (name !== 'pg_restore' || messages.ignored !== null) return null;
  for (const { text } of messages.errors) {
    const header = /^unsupported version \((\d+\.\d+)\) in file header$/.exec(text)?.[1];
    if (header !== undefined) {
      const needed = versionOfHeader[header];
      const wanted = needed === undefined ? 'a newer version than' : `PostgreSQL ${needed} or newer, not`;
      return new ThawError('ConfigInvalid', `${dump} needs the programs of ${wanted} ${programs.version}`, {
        object: dump,
        hint: 'Install the client programs of that version, and name their folder in PG_BIN where they are not found by themselves.',
      });
    }
    if (/^(?:unrecognized|invalid) option/.test(text)) {
      return new ThawError('ConfigInvalid', `pg_restore ${programs.version}: ${text}`, {
        object: programs.pgRestore,
        hint: 'Leave the option out, or install the client programs of a version that has it.',
      });
    }
    if (/^(?:table|schema) ".*" not found$/s.test(text)) {
      return new ThawError('InputInvalid', `${dump} does not have what is asked for: ${text}`, {
        object: dump,
        hint: 'Correct the name; upper and lower case differ. `pg_restore --list` tells what the dump has.',
      });
    }
    if (damaged.test(text)) {
      return new ThawError('ArchiveCorrupt', `${dump} cannot be read to its end: ${text}.`, {
        object: dump,
        hint: 'Restore an earlier dump; `thaw dumps` lists them, and --fallback takes the one before.',
      });
    }
  }
  return null;
}

function aboutServer(run: RestoreRun): ThawError | null {
  const { errors } = run.messages;
  if (errors.some(isDiskFull)) {
    return new ThawError('DumpRejected', describe(run), {
      object: run.database,
      sqlstate: sqlState.diskFull,
      hint: 'The disk of the database is full. Free space or add some, then restore again.',
    });
  }
  if (errors.some(({ text }) => text.includes('out of shared memory'))) {
    return new ThawError('ConfigInvalid', describe(run), {
      object: run.database,
      hint: 'Raise max_locks_per_transaction of its server, which takes a restart: one transaction locks every object that it makes.',
    });
  }
  if (errors.length > 0 && errors.every(isDenied)) {
    return new ThawError('PermissionDenied', describe(run), {
      object: run.database,
      hint: 'Restore with a user that may make these objects, or without owners and privileges (RESTORE_OPTIONS="--no-owner --no-privileges").',
    });
  }
  return null;
}

function rejected(run: RestoreRun): ThawError {
  const isThere = run.messages.errors.some(({ text }) => / already exists$/.test(text));
  return new ThawError('DumpRejected', describe(run), {
    object: run.dump,
    ...(isThere ? { hint: thereHint } : {}),
  });
}

const thereHint =
  'It is there already. Restore into a database that does not have it, and what pg_dumpall wrote into such a server; ' +
  'a dump in tar, custom or directory format replaces what is there with RESTORE_OPTIONS="--clean --if-exists", or --clean.';

function describe({ messages, dump, database, name, end }: RestoreRun): string {
  const count = messages.ignored ?? Math.max(messages.errorCount, 1);
  const errors = `${count} ${count === 1 ? 'error' : 'errors'}`;
  const texts = messages.errors.slice(0, repeated).map(({ text }) => text);
  if (texts.length === 0) texts.push(`${name} ended with exit code ${end.code} and said nothing`);
  const more = count > texts.length ? `; and ${count - texts.length} more` : '';
  return `${errors} while ${dump} was restored into "${database}": ${texts.join('; ')}${more}`;
}

function isDiskFull({ text, sqlstate }: ProgramMessage): boolean {
  return (
    sqlstate === sqlState.diskFull || /No space left on device|Disk full|could not extend file/.test(text)
  );
}

/** Whether the server says that a right is missing. */
export function isDenied({ text, sqlstate }: ProgramMessage): boolean {
  if (sqlstate !== null) return sqlstate === sqlState.insufficientPrivilege || sqlstate.startsWith('28');
  return /(?:^|: )(?:permission denied|must be (?:owner|superuser|member|able))\b|\b(?:password|peer|ident) authentication failed\b|\bno pg_hba\.conf entry\b/i.test(
    text,
  );
}
