import type pg from 'pg';
import type { HistoryError } from '../../contract/snapshot-history.ts';
import type { FinishedSnapshot, SnapshotFailure } from '../../contract/snapshot-restore.ts';
import { releaseAllTargets } from '../../postgres/held-targets.ts';
import { lookAfterKeys } from '../../postgres/key-records.ts';
import { failHistory } from '../../postgres/snapshot-history.ts';
import { readMerged } from '../../postgres/snapshot-restores.ts';
import { dropSnapshotStage, stageSchema } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { selectionKey } from '../container/snapshot-keys.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { removePreSnapshot } from './pre-snapshot.ts';

/** What there is to end. */
export interface RestoreEnd {
  readonly restoreId: string;
  /** Taken before, or begun to be; null for none. */
  readonly preSnapshotId: string | null;
  readonly place: SnapshotPlace;
  /** Where its marked differences lie; null for none. */
  readonly selection: string | null;
  /** Why nothing was merged, as far as is known; null: it was. */
  readonly failure: SnapshotFailure | null;
}

/**
 * Removes what a restore has made for itself, puts foreign keys back that are missing, and lets its tables go. Sessions
 * of it are over by then. Can be done again.
 *
 * @throws ThawError what the database or the store refuses
 */
export async function finishSnapshotRestore(
  client: pg.Client,
  { restoreId, preSnapshotId, place, selection, failure }: RestoreEnd,
): Promise<FinishedSnapshot> {
  try {
    if (failure !== null) await failHistory(client, restoreId, historyErrorOf(failure));
    await dropSnapshotStage(client, stageSchema(restoreId));
    const merged = await readMerged(client, restoreId);
    const { putBack, missing } = await lookAfterKeys(client, restoreId);
    if (merged === null && preSnapshotId !== null) await removePreSnapshot(place, preSnapshotId);
    // One that was not brought there for this restore alone may be wanted by another.
    if (selection === selectionKey(place.prefix, restoreId)) await place.store.remove(selection);
    await releaseAllTargets(client, restoreId);
    return {
      merged,
      notices: [
        ...putBack.map((key) => `Foreign key ${key} was missing, and was put back.`),
        ...missing.map(
          ({ key, message, statements }) =>
            `Foreign key ${key} is missing (${message}). To put it back: ${statements.join('; ')}`,
        ),
      ],
    };
  } catch (error) {
    throw databaseError(error, { object: restoreId });
  }
}

function historyErrorOf({ code, message, hint }: SnapshotFailure): HistoryError {
  return { code, error: message, hint, object: null, sqlstate: null };
}
