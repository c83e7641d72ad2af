import type { DumpActivities, DumpProof } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { loadDumpInto } from '../src/dump/load/load.ts';
import { createBeside } from '../src/dump/swap/create-beside.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDatabaseLock } from '../src/postgres/database-lock.ts';
import { allowConnections, createDatabase, dropDatabase, readDatabase } from '../src/postgres/databases.ts';
import { readProof } from '../src/postgres/dump-proofs.ts';
import { readIfAllowed, renameKept } from '../src/postgres/kept.ts';
import { isAllOrNothing } from '../src/restore/dump-modes.ts';
import { bytesInto, type DumpTools, withDumpTools } from './dump-tools.ts';

/** Makes the new database where the mode asks for it, and loads. What an earlier attempt loaded there is dropped first. */
export function loadDump(thaw: ThawContext): DumpActivities['loadDump'] {
  return ({ request, proof }) =>
    withDumpTools(thaw, request, async (tools) => {
      const { service, connection, env, signal, progress, withStore } = tools;
      const begun = performance.now();
      const isCluster = proof.format === 'cluster';
      const database = isCluster ? service.maintenance : await makeDatabase(tools, request);
      progress.enter('copy', proof.dump.key);
      const { part, options, jobs, allowErrors, restoreId } = request;
      const count = bytesInto(progress);
      const load = () =>
        withStore(async (store) => {
          const { warnings } = await loadDumpInto({
            ...{
              restoreId,
              store,
              proof,
              connection: connection(database),
              part,
              options,
              jobs,
              allowErrors,
            },
            oneTransaction: isAllOrNothing(request, proof),
            cluster: isCluster,
            ...{ env, signal, onProgress: ({ bytes }) => count(bytes) },
          });
          return warnings;
        });
      const warnings = await (isCluster ? loadCluster(tools, request, proof, load) : load());
      return { database, seconds: (performance.now() - begun) / 1000, warnings };
    });
}

/**
 * Loads what pg_dumpall wrote: the records of Thaw that it brings take the place of those of the server that it is
 * loaded into, which are kept aside.
 */
async function loadCluster(
  tools: DumpTools,
  { restoreId }: DumpRequest,
  { dump }: DumpProof,
  load: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const { service, inMaintenance, withStore } = tools;
  const kept = await withStore((store) =>
    inMaintenance((client) => readIfAllowed(() => readProof(client, store.name, dump))),
  );
  const brings = kept?.tables.some(
    ({ database, table }) => database === service.maintenance && table.startsWith('thaw.'),
  );
  const aside = `thaw_before_${restoreId.replaceAll('-', '_')}`;
  const isAside = brings === true && (await inMaintenance((client) => renameKept(client, 'thaw', aside)));
  try {
    const warnings = await load();
    const notice = `${dump.key} brings what Thaw kept on the server that was dumped. What it kept on this one is in schema ${aside} of ${service.maintenance}: drop it where nobody needs it.`;
    return isAside ? [notice, ...warnings] : warnings;
  } catch (error) {
    // Where the dump has brought its own by then, it stays aside.
    if (isAside) await inMaintenance((client) => renameKept(client, aside, 'thaw'));
    throw error;
  }
}

/** The database to load: beside the live one, in its place, or the one that is there. */
function makeDatabase({ service, inMaintenance }: DumpTools, request: DumpRequest): Promise<string> {
  const { database, restoreId, owner, mode } = request;
  return inMaintenance((client) =>
    withDatabaseLock(client, { database, restoreId }, async () => {
      if (mode !== 'into-existing') {
        const like = service.connection.name;
        const name = await createBeside(client, { database, restoreId }, owner, like);
        // Under its own name it would be open to all while it is half loaded.
        if (mode === 'recreate') await dropDatabase(client, database);
        return name;
      }
      if ((await readDatabase(client, database)) === null) {
        await createDatabase(client, database, owner === null ? null : { owner });
        await allowConnections(client, database, true);
      }
      return database;
    }),
  );
}
