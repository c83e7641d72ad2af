import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import type { UndoFailure, UndoRequest } from '../src/contract/undo-request.ts';
import { toFailure, toTableError } from './failures.ts';

const activities = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** Takes a restore back, whatever happens to workers meanwhile. Gives the tables that could not be undone. */
export async function undoRestore(request: UndoRequest): Promise<readonly UndoFailure[]> {
  try {
    return await activities.undoRestore(request);
  } catch (error) {
    throw isCancellation(error) ? error : toFailure(toTableError(error));
  }
}
