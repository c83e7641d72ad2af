import { ApplicationFailure, Context } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { renewLeases } from '../src/postgres/held-targets.ts';

/** More often than a lease runs out. */
const interval = '2 minutes';

/**
 * Keeps the tables of a restore of a snapshot, whatever it does or waits for. It renews their lease once, and asks to be
 * tried again: between two attempts no worker is kept busy, and no attempt is an event of the history, which thus does
 * not grow while a restore is paused for weeks.
 */
export function renewSnapshot(thaw: ThawContext): Activities['renewSnapshot'] {
  return async ({ request, held }) => {
    const { cancellationSignal } = Context.current();
    await thaw.withConnection(request, `thaw/${request.restoreId}/lease`, cancellationSignal, (client) =>
      renewLeases(client, request.restoreId, held),
    );
    throw ApplicationFailure.create({
      type: 'Renewed',
      message: `The tables are held. Their lease is renewed every ${interval}.`,
      nextRetryDelay: interval,
      category: ApplicationFailureCategory.BENIGN,
    });
  };
}
