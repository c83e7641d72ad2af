import type { SnapshotRequest } from '../../contract/snapshot.ts';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { tellSource } from '../../restore/snapshot-progress.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { openSelection } from '../merge/selection.ts';

/**
 * The marked differences that a request names.
 *
 * @throws ThawError `InputInvalid` for those of another snapshot or database, or what is none; those of the store
 */
export async function* readSelection(
  place: Pick<SnapshotPlace, 'store'>,
  key: string,
  { database, source }: SnapshotRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly SnapshotDifference[]> {
  const { header, marked } = await openSelection(place, key, signal);
  if (header.database !== database || tellSource(header.source) !== tellSource(source)) {
    throw new ThawError(
      'InputInvalid',
      `${key}: it is a diff of ${header.database} and ${tellSource(header.source)}, and not of what is restored.`,
      {
        object: key,
        hint: `Write the diff of ${database} and ${tellSource(source)}, and mark what to take.`,
      },
    );
  }
  yield* marked;
}
