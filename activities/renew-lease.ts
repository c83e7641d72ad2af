import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import * as targets from '../src/postgres/targets.ts';

/** Keeps a target while the restore is paused. */
export function renewLease(thaw: ThawContext): Activities['renewLease'] {
  return async ({ scope, target }) => {
    const { cancellationSignal } = Context.current();
    await thaw.withConnection(scope, `thaw/${scope.restoreId}/lease`, cancellationSignal, (client) =>
      targets.renewLease(client, scope.restoreId, target),
    );
  };
}
