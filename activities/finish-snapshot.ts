import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { snapshotSessions } from '../src/postgres/snapshot-stage.ts';
import { endSessions } from '../src/postgres/targets.ts';
import { finishSnapshotRestore } from '../src/snapshot/restore/finish-restore.ts';
import { withHeartbeats } from './heartbeat.ts';
import { inSession, placeOf } from './snapshot-tools.ts';

/** Removes the stage of a restore, looks after its foreign keys and lets its tables go. */
export function finishSnapshot(thaw: ThawContext): Activities['finishSnapshot'] {
  return async ({ request, preSnapshotId, failure }) => {
    const { cancellationSignal: signal } = Context.current();
    const { restoreId, selection } = request;
    return withHeartbeats(
      () => 'finishing',
      () =>
        inSession(thaw, request, 'finish', signal, async (client) => {
          // Of a worker that is gone: a commit may still be on its way.
          await endSessions(client, snapshotSessions(request));
          return finishSnapshotRestore(client, {
            restoreId,
            preSnapshotId,
            selection,
            failure,
            place: placeOf(thaw),
          });
        }),
    );
  };
}
