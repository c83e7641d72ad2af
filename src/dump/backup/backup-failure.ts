import { ThawError } from '../../contract/thaw-error.ts';
import type { Programs } from '../tools/client-programs.ts';
import type { ProgramMessages } from '../tools/program-messages.ts';
import { isDenied } from '../tools/restore-failure.ts';
import type { ProgramEnd } from '../tools/run-program.ts';

/** A run of pg_dump that has ended. */
export interface BackupRun {
  readonly end: ProgramEnd;
  readonly messages: ProgramMessages;
  readonly programs: Programs;
  /** The database that was dumped. */
  readonly database: string;
}

const nothingKept = 'Nothing was kept of this dump.';

/**
 * What the end of pg_dump means.
 *
 * @returns null where the dump is whole
 */
export function backupFailure({ end, messages, programs, database }: BackupRun): ThawError | null {
  if (end.code === 0) return null;
  if (end.signal !== null) {
    return new ThawError('DatabaseUnavailable', `pg_dump was ended by ${end.signal} before it was done`, {
      object: database,
      hint: `${nothingKept} It is tried again. Look in the log of the machine whether memory ran out.`,
    });
  }
  if (messages.lostConnection) {
    return new ThawError('DatabaseUnavailable', `pg_dump lost its connection to "${database}"`, {
      object: database,
    });
  }
  const { errors } = messages;
  const said = errors.map(({ text }) => text).slice(0, 5);
  const reason = said.length > 0 ? said.join('; ') : `it ended with exit code ${end.code} and said nothing`;
  const message = `pg_dump ${programs.version} could not dump "${database}": ${reason}`;
  if (said.some((text) => /lock timeout|could not obtain lock/.test(text))) {
    return new ThawError('LockTimeout', message, { object: database });
  }
  if (errors.some(isDenied)) {
    return new ThawError('PermissionDenied', message, {
      object: database,
      hint: `${nothingKept} Dump as a user that may read everything, such as one with the role pg_read_all_data.`,
    });
  }
  return new ThawError('ConfigInvalid', message, {
    object: database,
    hint: `${nothingKept} Look at what pg_dump says, and at BACKUP_OPTIONS.`,
  });
}
