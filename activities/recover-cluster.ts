import type { PitrActivities } from '../src/contract/pitr.ts';
import { clusterControl } from '../src/dump/pitr/cluster-control.ts';
import { requireFolder } from '../src/dump/pitr/cluster-folder.ts';
import { recover } from '../src/dump/pitr/recover.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Starts the server there and waits until it has recovered and is promoted. */
export function recoverCluster(thaw: ThawContext): PitrActivities['recoverCluster'] {
  return ({ request, plan }) =>
    withPitrTools(thaw, request, async ({ env, signal, tell }) => {
      await requireFolder(request.into, request.restoreId);
      return recover(request, await clusterControl(request.into, env), {
        signal,
        onProgress: (state) => tell({ lsn: state?.lsn ?? null, time: state?.time ?? null }),
        missing: plan.wal.missing,
      });
    });
}
