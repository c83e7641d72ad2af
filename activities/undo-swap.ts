import type { SystemActivities } from '../src/contract/system-activities.ts';
import { undoSwap as undo } from '../src/dump/swap/undo-swap.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDumpTools } from './dump-tools.ts';

/** Makes the old database live again, and gives the name of the one that took its place. */
export function undoSwap(thaw: ThawContext): SystemActivities['undoSwap'] {
  return (request) =>
    withDumpTools(thaw, request, ({ inMaintenance, signal }) =>
      inMaintenance(async (client) => {
        const { database, restoreId } = request;
        return { replaced: await undo(client, { database, restoreId }, signal) };
      }),
    );
}
