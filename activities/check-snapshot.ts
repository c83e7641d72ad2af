import { Context } from '@temporalio/activity';
import { snapshotRestoresPerHour } from '../src/config/snapshot-limit.ts';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { snapshotSessions } from '../src/postgres/snapshot-stage.ts';
import { endSessions } from '../src/postgres/targets.ts';
import { planSnapshotRestore } from '../src/snapshot/restore/plan-restore.ts';
import { settleSnapshotRestores } from '../src/snapshot/restore/settle-restores.ts';
import { standingIn } from '../src/snapshot/restore/workflow-standing.ts';
import { withHeartbeats } from './heartbeat.ts';
import { connector, inSession, placeOf } from './snapshot-tools.ts';
import { temporalName } from './temporal-name.ts';

/**
 * Opens a snapshot, sees that it can be restored, and takes its tables.
 *
 * @param searchAttributes whether they are registered
 */
export function checkSnapshot(thaw: ThawContext, searchAttributes: boolean): Activities['checkSnapshot'] {
  return async (request) => {
    const { cancellationSignal: signal, client: temporal } = Context.current();
    const workflow = await temporalName();
    const perHour = snapshotRestoresPerHour(thaw.env);
    const site = { place: placeOf(thaw), connect: connector(thaw, request, 'read', signal), signal };
    return withHeartbeats(
      () => 'checking',
      () =>
        inSession(thaw, request, 'check', signal, async (client) => {
          await ensureSchema(client);
          await endSessions(client, snapshotSessions(request));
          // Those that have ended without saying so hold nothing back.
          const settled = await settleSnapshotRestores(
            client,
            site.place,
            standingIn(temporal),
            request.restoreId,
          );
          const plan = await planSnapshotRestore(client, request, site, workflow, perHour);
          return { ...plan, notices: [...settled, ...plan.notices], searchAttributes };
        }),
    );
  };
}
