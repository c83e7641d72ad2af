import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type ChildWorkflowHandle, ParentClosePolicy, sleep, workflowInfo } from '@temporalio/workflow';
import type { LoadInput, LoadOutcome } from '../src/contract/activities.ts';
import { loadWorkflowId } from '../src/contract/names.ts';
import { summaryText } from '../src/restore/clip.ts';
import type { Load } from '../src/restore/packs.ts';
import { searchAttributesOf } from './search-attributes.ts';
import { startReachableChild } from './start-child.ts';
import type { TableState } from './table-state.ts';

/** What restoreArchive and restorePack have in common. */
type RestoreLoad = (input: LoadInput) => Promise<LoadOutcome>;

/**
 * Starts the child workflow of a load, as soon as its id is free.
 *
 * @param what names the load within the restore of the table
 * @throws CancelledFailure when it is rolled back before it has begun
 */
export async function startLoad(
  table: TableState,
  { archives, firstOrdinal }: Load,
  what: string,
): Promise<ChildWorkflowHandle<RestoreLoad>> {
  const { scope, options, keys, searchAttributes } = table.input;
  const { restoreId, database } = scope;
  const { folder } = table.queue;
  const load = { scope, target: table.held, options, folder, archives, named: keys !== null };
  for (;;) {
    try {
      return await startReachableChild<RestoreLoad>(
        archives.length === 1 ? 'restoreArchive' : 'restorePack',
        {
          args: [{ ...load, firstOrdinal, what }],
          workflowId: loadWorkflowId(workflowInfo().workflowId, restoreId, what),
          // A parent that is terminated still lets its loads roll back.
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          staticSummary: summaryText(`${table.target} ${what}`),
          ...searchAttributesOf(searchAttributes, { restoreId, database, table: table.target }),
        },
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      // This restore was terminated and begun anew: the load of then still rolls back, and its id is free soon.
      await sleep('1s', { summary: 'until the load of before has ended' });
    }
  }
}
