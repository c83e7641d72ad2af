import { findService } from '../config/services.ts';
import type { DumpRequest } from '../contract/dump-request.ts';
import { databaseWorkflowId, restoreWorkflowId } from '../contract/names.ts';
import { discardBeside } from '../dump/swap/create-beside.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { dumpSessionPrefix, withDatabaseLock } from '../postgres/database-lock.ts';
import { readDatabase } from '../postgres/databases.ts';
import { readDumpRestore, writeDumpRestore } from '../postgres/dump-records.ts';
import { readIfAllowed } from '../postgres/kept.ts';
import { isShared, type LeftoverScope, runningHolder, terminate } from './leftovers.ts';

/**
 * Ends the restore of a dump that holds the database of this one though nobody works on it: its command was killed,
 * and this is another one. What it loaded beside the live database is removed. Does nothing while another command
 * uses the server.
 */
export async function endDumpLeftovers(scope: LeftoverScope, request: DumpRequest): Promise<void> {
  const { client, say } = scope;
  if (await isShared(scope.stateDir)) return;
  const holder = await runningHolder(client, databaseWorkflowId(request.server, request.database));
  if (holder === null || holder.restoreId === null) return;
  const { restoreId } = holder;
  const reason = 'its command was killed, and another one restores into the database';
  // By force, because a cancelled restore would need its worker to end.
  await terminate(client, restoreWorkflowId(restoreId), reason);
  say(`Restore ${restoreId} gives way: ${reason}.`);
  await removeLoad(scope, request, restoreId);
}

async function removeLoad(
  { config, env, say }: LeftoverScope,
  { service, database }: DumpRequest,
  restoreId: string,
): Promise<void> {
  const { connection, maintenance } = findService(config, service);
  const session = { applicationName: `${dumpSessionPrefix(restoreId)}leftover` };
  await withDatabase({ ...connection, name: maintenance }, env, session, async (client) => {
    await withDatabaseLock(client, { database, restoreId }, async () => {
      // After a restore in place it may be all that there is.
      if ((await readDatabase(client, database)) === null) say(`${database} is not there any more.`);
      else await discardBeside(client, { database, restoreId });
    });
    const stored = await readIfAllowed(() => readDumpRestore(client, restoreId));
    if (stored !== null) await writeDumpRestore(client, { ...stored, state: 'cancelled' });
  });
}
