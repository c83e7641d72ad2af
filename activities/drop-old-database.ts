import type { DumpActivities } from '../src/contract/dump-activities.ts';
import { dropOld } from '../src/dump/swap/old-databases.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDumpTools } from './dump-tools.ts';

/** Drops the old database of a swap; one that was swapped back, or that its comment says is kept, stays. */
export function dropOldDatabase(thaw: ThawContext): DumpActivities['dropOldDatabase'] {
  return ({ request, name }) =>
    withDumpTools(thaw, request, async ({ inMaintenance }) => {
      await inMaintenance((client) => dropOld(client, name, request.restoreId));
    });
}
