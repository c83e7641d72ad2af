import type { DumpActivities } from '../src/contract/dump-activities.ts';
import { discardBeside } from '../src/dump/swap/create-beside.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDatabaseLock } from '../src/postgres/database-lock.ts';
import { readDatabase } from '../src/postgres/databases.ts';
import { untouched } from '../src/restore/dump-outcome.ts';
import { withDumpTools } from './dump-tools.ts';

/**
 * Removes the new database of a restore that came to no good end, and tells what became of the live one. What went
 * into a database that was there is not taken back.
 */
export function discardLoad(thaw: ThawContext): DumpActivities['discardLoad'] {
  return (request) =>
    withDumpTools(thaw, request, async ({ inMaintenance }) => {
      const { database, restoreId, mode } = request;
      return inMaintenance((client) =>
        withDatabaseLock(client, { database, restoreId }, async () => {
          await discardBeside(client, { database, restoreId });
          if (mode !== 'recreate') return { leftBehind: [], notices: [] };
          const isGone = (await readDatabase(client, database)) === null;
          const notice = `${database} is gone: it was dropped before the load, as asked for, and nothing of it is kept.`;
          return { leftBehind: [], notices: [isGone ? notice : untouched(request)] };
        }),
      );
    });
}
