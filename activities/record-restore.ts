import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { writeRestore } from '../src/postgres/restores.ts';

/** Writes the restore's state into the target database. */
export function recordRestore(thaw: ThawContext): Activities['recordRestore'] {
  return async ({ request, state, outcome }) => {
    const { cancellationSignal, info } = Context.current();
    const workflowId = info.workflowExecution?.workflowId ?? null;
    await thaw.withConnection(request, `thaw/${request.restoreId}/record`, cancellationSignal, (client) =>
      writeRestore(client, { request, state, outcome, workflowId }),
    );
  };
}
