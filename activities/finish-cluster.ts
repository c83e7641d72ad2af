import { rm } from 'node:fs/promises';
import type { PitrActivities } from '../src/contract/pitr.ts';
import { clusterControl } from '../src/dump/pitr/cluster-control.ts';
import { clusterFolder, readMark } from '../src/dump/pitr/cluster-folder.ts';
import { stopCluster } from '../src/dump/pitr/cluster-server.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Removes the WAL that was fetched, and stops the server where that is asked for. */
export function finishCluster(thaw: ThawContext): PitrActivities['finishCluster'] {
  return (request) =>
    withPitrTools(thaw, request, async ({ env, signal }) => {
      const mark = await readMark(request.into);
      // The attempt before came to its end, and was not heard.
      if (mark?.restoreId !== request.restoreId) return;
      if (!request.keepRunning) await stopCluster(await clusterControl(request.into, env), signal);
      const { wal, mark: file } = clusterFolder(request.into);
      await rm(wal, { recursive: true, force: true });
      await rm(file);
    });
}
