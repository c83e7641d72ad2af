import type { PitrActivities } from '../src/contract/pitr.ts';
import { clusterControl } from '../src/dump/pitr/cluster-control.ts';
import { requireFolder } from '../src/dump/pitr/cluster-folder.ts';
import { verifyCluster as verify } from '../src/dump/pitr/verify-cluster.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Looks at what was recovered. */
export function verifyCluster(thaw: ThawContext): PitrActivities['verifyCluster'] {
  return (request) =>
    withPitrTools(thaw, request, async ({ env, signal }) => {
      await requireFolder(request.into, request.restoreId);
      return verify(request, await clusterControl(request.into, env), signal);
    });
}
