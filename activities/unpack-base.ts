import type { PitrActivities } from '../src/contract/pitr.ts';
import { findBase } from '../src/dump/pitr/base-backup.ts';
import { claimFolder, clusterFolder } from '../src/dump/pitr/cluster-folder.ts';
import { unpackBase as unpack } from '../src/dump/pitr/unpack-base.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Makes the folder, unpacks the base backup there and compares it with its manifest. */
export function unpackBase(thaw: ThawContext): PitrActivities['unpackBase'] {
  return (request) =>
    withPitrTools(thaw, request, async ({ env, signal, onBytes, withBase }) => {
      await claimFolder(request.into, request.restoreId);
      return withBase(async (base) =>
        unpack(base, await findBase(base, signal), clusterFolder(request.into), { env, signal, onBytes }),
      );
    });
}
