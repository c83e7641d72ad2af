import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { readLedgerTally } from '../src/postgres/ledger-tally.ts';

/** Adds up what a restore has committed of a table. */
export function tallyLedger(thaw: ThawContext): Activities['tallyLedger'] {
  return async ({ scope, target }) => {
    const { cancellationSignal } = Context.current();
    const { restoreId } = scope;
    return thaw.withConnection(scope, `thaw/${restoreId}/tally`, cancellationSignal, (client) =>
      readLedgerTally(client, restoreId, target.oid),
    );
  };
}
