import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoEnd, UndoExtent, UndoOutcome, UndoRequest } from '../contract/undo-request.ts';
import { readTakenObjects } from '../postgres/taken-objects.ts';
import { holdsTargets } from '../postgres/targets.ts';
import { beginUndoRecord, endUndoRecord } from '../postgres/undo-records.ts';
import { undoOutcome } from '../restore/undo-progress.ts';
import { extentOf, reportUndo } from './kept-changes.ts';
import { undoneRestore } from './undone-restore.ts';

/** Keys that are written down of rows left for one reason; `thaw.undo_rows` has all of them. */
const recordedKeys = 100;
/** Models and fields that are told of those that were left. */
const recordedObjects = 100;

/**
 * Begins an undo: sees that it can be done, and writes down who asks for it.
 *
 * @returns what there is to undo
 * @throws ThawError `InputInvalid` where the restore is not known or has kept nothing; `TargetBusy` while it goes on
 */
export async function beginUndo(client: pg.Client, request: UndoRequest): Promise<UndoExtent[]> {
  const restore = await undoneRestore(client, request.undoes);
  const extents = await extentOf(client, restore);
  if (!restore.isEnded && (await holdsTargets(client, request.undoes))) throw stillRuns(request.undoes);
  await beginUndoRecord(client, request);
  return extents;
}

/** Ends an undo: tells what came of it, and writes that down with some keys of the rows that were left. */
export async function endUndo(client: pg.Client, end: UndoEnd): Promise<UndoOutcome> {
  const { request, failures } = end;
  const listed = await reportUndo(client, request.undoes, failures, recordedKeys);
  const tables = listed.map(({ left, ...table }) => ({
    ...table,
    left: left.map(({ why, rows }) => ({ why, rows })),
  }));
  const made = await readTakenObjects(client, request.undoes, recordedObjects);
  const outcome = undoOutcome(end, tables, made, Date.now());
  await endUndoRecord(client, outcome, listed);
  return outcome;
}

/** A restore cannot be undone before its end. */
export function stillRuns(restoreId: string): ThawError {
  return new ThawError('TargetBusy', `restore ${restoreId} still runs.`, {
    object: restoreId,
    hint: `Wait for its end (\`thaw watch ${restoreId}\`), or cancel it; then undo it.`,
  });
}
