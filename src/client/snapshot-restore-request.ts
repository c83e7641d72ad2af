import { fingerprint } from '../config/fingerprint.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { SnapshotRequest } from '../contract/snapshot.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** What is asked of a restore of a snapshot. */
export type SnapshotRestoreInput = Omit<SnapshotRequest, 'restoreId' | 'fingerprint' | 'heartbeatSeconds'>;

/** Characters of a reason. */
const longestReason = 500;

/**
 * The request to restore a snapshot.
 *
 * @throws ThawError `InputInvalid` for what does not go together; `ConfigInvalid` for a database that is not configured
 */
export function toSnapshotRestore(
  config: ThawConfig,
  input: SnapshotRestoreInput,
  restoreId: string,
  heartbeatSeconds: number,
): SnapshotRequest {
  const { strategy, newerBy, selection, tables, reason } = input;
  if ((strategy === 'merge') !== (newerBy !== null)) {
    throw invalid(
      '--newer-by',
      strategy === 'merge'
        ? 'merge needs the column by which the newer row wins'
        : 'only merge compares rows by a column',
      'Give --strategy merge --newer-by COLUMN, such as updated_at.',
    );
  }
  if ((strategy === 'selective') !== (selection !== null)) {
    throw invalid(
      '--selection',
      strategy === 'selective'
        ? 'selective needs the differences to take'
        : 'only selective takes marked differences',
      'Write them with `thaw snapshot diff`, mark what to take, and give --strategy selective --selection FILE.',
    );
  }
  if (tables?.length === 0)
    throw invalid('--table', 'no table is named', 'Name tables, or leave it out for all.');
  if (reason.length > longestReason) {
    throw invalid('--reason', `it has more than ${longestReason} characters`, 'Say it shorter.');
  }
  return { ...input, restoreId, fingerprint: fingerprint(config, input.database), heartbeatSeconds };
}

function invalid(object: string, what: string, hint: string): ThawError {
  return new ThawError('InputInvalid', `${object}: ${what}.`, { object, hint });
}
