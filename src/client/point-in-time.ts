import { z } from 'zod';
import type { SnapshotTableName } from '../contract/snapshot.ts';
import type { PointInTime } from '../contract/snapshot-replay.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** The log of the snapshot document, where no other is named. */
export const defaultLog: SnapshotTableName = { schema: 'public', table: 'backup_transaction_logs' };

/** What is asked of a time to go to; null: not said. */
export interface PointInTimeInput {
  readonly to: string | null;
  readonly log: SnapshotTableName | null;
  readonly since: string | null;
  readonly acceptFaults: boolean;
}

type PointInTimeField = 'to' | 'log' | 'since' | 'accept_log_faults';

/** How commands name a field. */
function flagOf(field: PointInTimeField): string {
  return `--${field.replaceAll('_', '-')}`;
}

/**
 * The time that tables are to be brought to; null: none is asked for.
 *
 * @param naming how messages name a field
 * @throws ThawError `InputInvalid` for a time without its zone, and for what means nothing without a time
 */
export function toPointInTime(
  { to, log, since, acceptFaults }: PointInTimeInput,
  naming: (field: PointInTimeField) => string = flagOf,
): PointInTime | null {
  if (to === null) {
    const field = log ? 'log' : since ? 'since' : acceptFaults ? 'accept_log_faults' : null;
    if (field === null) return null;
    throw invalid(naming(field), `it means nothing without ${naming('to')}`, 'Name the time as well.');
  }
  return {
    to: timeOf(naming('to'), to),
    log: log ?? defaultLog,
    since: since === null ? null : timeOf(naming('since'), since),
    acceptFaults,
  };
}

/** As it is written: PostgreSQL reads microseconds, which a `Date` would lose. */
function timeOf(name: string, text: string): string {
  if (z.iso.datetime({ offset: true }).safeParse(text).success) return text;
  throw invalid(
    name,
    `${text} is no time with its zone`,
    'Write it as 2026-01-31T12:00:00.123456Z or …+02:00.',
  );
}

function invalid(object: string, what: string, hint: string): ThawError {
  return new ThawError('InputInvalid', `${object}: ${what}.`, { object, hint });
}
