import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { renewLeases } from '../src/postgres/held-targets.ts';

/** Keeps the tables of a restore of a snapshot, whatever it does or waits for. */
export function renewSnapshot(thaw: ThawContext): Activities['renewSnapshot'] {
  return async ({ request, held }) => {
    const { cancellationSignal } = Context.current();
    await thaw.withConnection(request, `thaw/${request.restoreId}/lease`, cancellationSignal, (client) =>
      renewLeases(client, request.restoreId, held),
    );
  };
}
