import type { PitrActivities } from '../src/contract/pitr.ts';
import { discardCluster as discard } from '../src/dump/pitr/cluster-control.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Stops the server and removes the folder of a recovery that came to no good end; nothing there is as good. */
export function discardCluster(thaw: ThawContext): PitrActivities['discardCluster'] {
  return (request) =>
    withPitrTools(thaw, request, ({ env, signal }) => discard(request.into, request.restoreId, env, signal));
}
