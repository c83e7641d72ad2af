import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { restoreWorkflowId } from '../src/contract/names.ts';
import type { UndoActivities } from '../src/contract/undo-request.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { beginUndo, stillRuns } from '../src/undo/recorded-undo.ts';

/** Finds what there is to undo of a restore that has ended, and writes down that it begins. */
export function planUndo(thaw: ThawContext, searchAttributes: boolean): UndoActivities['planUndo'] {
  return async (request) => {
    const { cancellationSignal: signal } = Context.current();
    if (await runs(request.undoes)) throw stillRuns(request.undoes);
    const tables = await thaw.withConnection(request, `thaw/${request.restoreId}/plan`, signal, (client) =>
      beginUndo(client, request),
    );
    return { searchAttributes, tables };
  };
}

async function runs(restoreId: string): Promise<boolean> {
  const { client } = Context.current();
  try {
    const { status } = await client.workflow.getHandle(restoreWorkflowId(restoreId)).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
