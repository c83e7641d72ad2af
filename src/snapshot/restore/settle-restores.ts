import type pg from 'pg';
import type { TableError } from '../../contract/outcome.ts';
import type { SnapshotOutcome } from '../../contract/snapshot.ts';
import type { FinishedSnapshot } from '../../contract/snapshot-restore.ts';
import {
  readSnapshotRestore,
  type StoredSnapshotRestore,
  writeSnapshotRestore,
} from '../../postgres/snapshot-restores.ts';
import { snapshotSessions } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { endSessions } from '../../postgres/targets.ts';
import { listUnended } from '../../postgres/unended-snapshots.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { finishSnapshotRestore } from './finish-restore.ts';
import type { AskStanding } from './workflow-standing.ts';

/**
 * Ends the restores of a database whose workflows have ended without having done so, as one does that is terminated:
 * sessions, stage, foreign keys and tables are looked after as at every end, and it is written what came of them. Of
 * one that runs, or of which nobody can tell, nothing is touched.
 *
 * @param except the restore that asks; null: none does
 * @returns what was done, and what could not be
 */
export async function settleSnapshotRestores(
  client: pg.Client,
  place: SnapshotPlace,
  ask: AskStanding,
  except: string | null = null,
): Promise<string[]> {
  const notices: string[] = [];
  for (const restore of await listUnended(client)) {
    const { restoreId, isDisowned } = restore;
    if (restoreId === except) continue;
    const standing = await ask(restore);
    if (standing === 'running' || (standing === 'unknown' && !isDisowned)) continue;
    try {
      notices.push(...(await settle(client, place, restoreId)));
    } catch (error) {
      const { message } = databaseError(error, { object: restoreId });
      notices.push(`Restore ${restoreId} has ended, and what it has left could not be settled: ${message}`);
    }
  }
  return notices;
}

const broken: TableError = {
  code: 'InputInvalid',
  message: 'The workflow of the restore was ended before it could end the restore itself.',
  hint: 'Nothing was changed. Restore again.',
};

async function settle(client: pg.Client, place: SnapshotPlace, restoreId: string): Promise<string[]> {
  // An attempt may be at work that has not heard of it: its commit is in time, or never comes.
  await endSessions(client, snapshotSessions({ restoreId }));
  const stored = await readSnapshotRestore(client, restoreId);
  const finished = await finishSnapshotRestore(client, {
    ...{ restoreId, place, failure: broken },
    preSnapshotId: stored?.preSnapshotId ?? null,
    selection: stored?.request.selection ?? null,
  });
  if (stored !== null && stored.outcome === null) {
    const outcome = outcomeOf(stored, finished);
    await writeSnapshotRestore(client, { ...stored, state: outcome.state, outcome });
  }
  const end = finished.merged === null ? 'has changed nothing' : 'had brought its rows back';
  return [
    `Restore ${restoreId} ${end}: its workflow ended without saying so, and it is ended now.`,
    ...finished.notices,
  ];
}

function outcomeOf(
  { request, preSnapshotId, startedAt }: StoredSnapshotRestore,
  { merged, notices }: FinishedSnapshot,
): SnapshotOutcome {
  const { restoreId, database, source, strategy } = request;
  const endedAt = new Date();
  return {
    ...{ restoreId, database, source, strategy, notices, startedAt, endedAt: endedAt.toISOString() },
    state: merged === null ? 'failed' : 'completed',
    preSnapshotId: merged === null ? null : preSnapshotId,
    tables: merged?.tables ?? [],
    transactionId: merged?.transactionId ?? null,
    error: merged === null ? broken : null,
    seconds: (endedAt.getTime() - Date.parse(startedAt)) / 1000,
  };
}
