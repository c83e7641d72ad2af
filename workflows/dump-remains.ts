import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { DiscardedLoad, DumpSwap, OldDatabase } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { oldDatabaseWorkflowId, workflowTypes } from '../src/contract/names.ts';
import { summaryText } from '../src/restore/clip.ts';
import { type BrokenLoad, leftInExisting, leftInPlace } from '../src/restore/dump-outcome.ts';
import type { dropOldDatabase } from './drop-old-database.ts';
import type { DumpWork } from './dump-work.ts';
import { toTableError } from './failures.ts';

const nothing: DiscardedLoad = { leftBehind: [], notices: [] };

/** Has the old database of a swap dropped in time: at once, or by a workflow that outlives this one. */
export async function dropOld(
  request: DumpRequest,
  { old, dropAt }: DumpSwap,
  work: DumpWork,
): Promise<DiscardedLoad> {
  if (old === null || dropAt === null) return nothing;
  const database = { request, name: old, dropAt };
  if (request.keepOldSeconds > 0) {
    await dropLater(database);
    return nothing;
  }
  try {
    await work.dropOldDatabase(database);
    return nothing;
  } catch (error) {
    const notice = `${old} could not be dropped: ${toTableError(error).message}`;
    return { leftBehind: [old], notices: [notice] };
  }
}

/** Removes a load that came to no good end, unless it is worth keeping. */
export async function discard(broken: BrokenLoad, work: DumpWork): Promise<DiscardedLoad> {
  const { request, load } = broken;
  if (request.mode === 'into-existing') return { leftBehind: [], notices: [leftInExisting(broken)] };
  if (request.mode === 'recreate' && load !== null) {
    // The live database is gone: what was loaded is worth more than nothing.
    return { leftBehind: [load.database], notices: [leftInPlace(request, load)] };
  }
  try {
    return await work.discardLoad(request);
  } catch (error) {
    const database = load?.database ?? `the new database beside ${request.database}`;
    const notice = `What was loaded could not be removed: ${toTableError(error).message}`;
    return { leftBehind: [database], notices: [notice] };
  }
}

async function dropLater(database: OldDatabase): Promise<void> {
  const { request, name } = database;
  try {
    await startChild<typeof dropOldDatabase>(workflowTypes.dropOldDatabase, {
      workflowId: oldDatabaseWorkflowId(request.server, name),
      args: [database],
      staticSummary: summaryText(`drop ${name} at ${database.dropAt}`),
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    // Its name has the second of the swap, so whoever has the id drops the very same.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
