import type { PitrActivities } from '../src/contract/pitr.ts';
import { findBase } from '../src/dump/pitr/base-backup.ts';
import { neededWal } from '../src/dump/pitr/check-base.ts';
import { clusterFolder, requireFolder } from '../src/dump/pitr/cluster-folder.ts';
import { fetchWal as fetch } from '../src/dump/pitr/fetch-wal.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Brings the WAL into the folder. */
export function fetchWal(thaw: ThawContext): PitrActivities['fetchWal'] {
  return (request) =>
    withPitrTools(thaw, request, async ({ signal, onBytes, withBase, withWal }) => {
      await requireFolder(request.into, request.restoreId);
      const backup = await withBase((base) => findBase(base, signal));
      return withWal(async (wal) => {
        const needed = await neededWal(request, backup, wal, signal);
        return fetch(wal, needed, clusterFolder(request.into).wal, { signal, onBytes });
      });
    });
}
