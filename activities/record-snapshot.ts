import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { writeSnapshotRestore } from '../src/postgres/snapshot-restores.ts';

/** Writes how a restore of a snapshot stands into the database that it restores into. */
export function recordSnapshot(thaw: ThawContext): Activities['recordSnapshot'] {
  return async (record) => {
    const { cancellationSignal } = Context.current();
    const { request } = record;
    await thaw.withConnection(request, `thaw/${request.restoreId}/record`, cancellationSignal, (client) =>
      writeSnapshotRestore(client, record),
    );
  };
}
