import type pg from 'pg';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import { carryOver } from '../src/dump/swap/carry-over.ts';
import { swap } from '../src/dump/swap/swap.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDatabase } from '../src/postgres/connect-database.ts';
import { dumpSessionPrefix } from '../src/postgres/database-lock.ts';
import { type DumpTools, withDumpTools } from './dump-tools.ts';

/**
 * Carries owner, privileges and settings over and makes the loaded database the live one; an attempt that finds it
 * done gives what was done.
 */
export function swapDatabase(thaw: ThawContext): DumpActivities['swapDatabase'] {
  return ({ request, load, before }) =>
    withDumpTools(thaw, request, (tools) => {
      const { restoreId, database, owner, keepOldSeconds, mode } = request;
      // One that is recreated is gone by now.
      const liveOid = mode === 'recreate' ? null : (before?.oid ?? null);
      const order = { database, restoreId, fresh: load.database, liveOid, owner, keepOldSeconds };
      const carry = (live: string | null) =>
        carryObjects(tools, { live, fresh: load.database, owner, restoreId });
      return tools.inMaintenance((client) => swap(client, order, { carry, signal: tools.signal }));
    });
}

/** Carries over what belongs to objects, in sessions that are closed before the swap would end them. */
function carryObjects(
  { connection, env, signal }: DumpTools,
  order: {
    readonly live: string | null;
    readonly fresh: string;
    readonly owner: string | null;
    readonly restoreId: string;
  },
): Promise<string[]> {
  const { live, fresh, owner, restoreId } = order;
  const options = { applicationName: `${dumpSessionPrefix(restoreId)}carry`, signal };
  const work = (liveClient: pg.Client | null) =>
    withDatabase(connection(fresh), env, options, (client) =>
      carryOver({ live: liveClient, fresh: client, owner }),
    );
  return live === null ? work(null) : withDatabase(connection(live), env, options, work);
}
