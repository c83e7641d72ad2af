import type pg from 'pg';
import type { HeldTarget } from '../../contract/activities.ts';
import type { SnapshotRequest, SnapshotTableResult } from '../../contract/snapshot.ts';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import type { MergedSnapshot, StagedTableRef } from '../../contract/snapshot-restore.ts';
import { readTarget } from '../../postgres/catalog.ts';
import { holdTargets } from '../../postgres/held-targets.ts';
import { forgetKeys } from '../../postgres/key-records.ts';
import { advanceSequences } from '../../postgres/sequences.ts';
import { markUndone, readMerged, wasRestored, writeMerged } from '../../postgres/snapshot-restores.ts';
import { stageSchema } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { markRolledBack, unmarkRolledBack } from '../../postgres/stored-snapshot.ts';
import type { TakenKey } from '../../postgres/taken-keys.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import type { HistoryRecorder } from '../history/history-recorder.ts';
import { contentToken } from '../merge/content-token.ts';
import { restoreTables } from '../merge/restore-tables.ts';
import { demandPreSnapshot } from './pre-snapshot.ts';
import { reopenStage } from './staged-refs.ts';

/** A merge of what was staged. */
export interface SnapshotMerge {
  readonly request: SnapshotRequest;
  readonly held: readonly HeldTarget[];
  readonly staged: readonly StagedTableRef[];
  /** Where the snapshot of what was there lies. */
  readonly place: SnapshotPlace;
  /** The only differences to take; null: all. */
  readonly chosen: AsyncIterable<readonly SnapshotDifference[]> | null;
  /** Writes down what is about to be taken off, on a connection of its own. */
  recordKeys(keys: readonly TakenKey[]): Promise<void>;
  readonly history: HistoryRecorder;
}

/**
 * Brings staged rows into their tables, all or nothing. In the same transaction it is written down that the restore has
 * done so, which makes a snapshot in the store, or of an object, count as rolled back, and a row of
 * `backup_pitr_snapshots` is marked. One that has done so already tells what it did.
 *
 * @param client in no transaction
 * @returns null where the stage is not there any more
 * @throws ThawError `TargetBusy` where the tables are held no longer; `ArchiveNotFound` where what was there is not
 * kept any more; what `restoreTables` throws
 */
export async function mergeSnapshot(client: pg.Client, merge: SnapshotMerge): Promise<MergedSnapshot | null> {
  const { request, held, staged, place, chosen, recordKeys, history } = merge;
  const { restoreId, ifUnchanged, undoes = null, preSnapshot } = request;
  const before = await readMerged(client, restoreId);
  if (before !== null) return { ...before, notices: await moveSequences(client, before.tables) };
  const tables = await reopenStage(client, stageSchema(restoreId), staged, request);
  if (tables === null) return null;
  if (preSnapshot) await demandPreSnapshot(place, restoreId);
  const changed: SnapshotTableResult[] = [];
  let transactionId = '';
  const { notices } = await restoreTables(client, tables, {
    ...{ ifUnchanged, undoes, chosen },
    onBegun: () => history.inTransaction(client),
    onKeysTaken: async (keys) => {
      await recordKeys(keys);
      history.keysTaken(keys);
    },
    onComparing: (target) => history.comparing(target),
    onFound: (changes) => history.found(changes),
    onMerged: (changes) => {
      changed.push(changes);
      history.merged(changes);
    },
    alongside: async () => {
      await holdTargets(client, restoreId, held);
      const token = preSnapshot ? await contentToken(client, tables) : null;
      const written = await writeMerged(client, restoreId, changed, token);
      transactionId = written.transactionId;
      await markSource(client, request, written.place);
      if (undoes !== null) await takeMarksBack(client, undoes, request);
      await forgetKeys(client, restoreId);
      await history.complete(client);
    },
  });
  return { tables: changed, transactionId, notices };
}

async function markSource(
  client: pg.Client,
  { source, by, reason, restoreId }: SnapshotRequest,
  schema: string,
): Promise<void> {
  if (source.kind !== 'table') return;
  const notes = `Thaw restore ${restoreId}${reason === '' ? '' : `: ${reason}`}`;
  await markRolledBack(client, { schema, id: source.id }, by, notes);
}

/** A snapshot whose restore is taken back counts as rolled back no more, unless another restore of it stands. */
async function takeMarksBack(
  client: pg.Client,
  undoes: string,
  { restoreId, by, reason }: SnapshotRequest,
): Promise<void> {
  for (const source of await markUndone(client, undoes)) {
    if (source.kind !== 'table') continue;
    const row = { schema: source.place, id: source.id };
    const notes = `Thaw restore ${source.restoreId}${source.isUndone ? ' undone' : ''} by ${restoreId}: ${reason}`;
    if (await wasRestored(client, source)) await markRolledBack(client, row, by, notes);
    else await unmarkRolledBack(client, row, notes);
  }
}

/** An attempt that was killed behind its commit may not have come to it. */
async function moveSequences(
  client: pg.Client,
  tables: readonly SnapshotTableResult[],
): Promise<readonly string[]> {
  const notices: string[] = [];
  try {
    for (const { schema, table } of tables) {
      notices.push(...(await advanceSequences(client, await readTarget(client, schema, table))));
    }
  } catch (error) {
    throw databaseError(error, { object: 'sequences', stage: 'commit' });
  }
  return notices;
}
