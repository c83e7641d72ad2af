import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRef, DumpRequest } from '../src/contract/dump-request.ts';
import type { ErrorCode } from '../src/contract/error-code.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { type ProvenDump, proveDump as prove } from '../src/dump/format/prove.ts';
import { notInDump } from '../src/dump/target/not-in-dump.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDatabase } from '../src/postgres/connect-database.ts';
import { readDatabase } from '../src/postgres/databases.ts';
import { writeFault, writeProof } from '../src/postgres/dump-proofs.ts';
import { isDamage } from '../src/restore/dump-faults.ts';
import { bytesInto, type DumpTools, withDumpTools } from './dump-tools.ts';
import { keepRecord } from './keep-record.ts';

/**
 * Reads a dump to its end, and keeps what it found: counts and contents grow with its tables; of one that is not good,
 * why.
 */
export function proveDump(thaw: ThawContext): DumpActivities['proveDump'] {
  return ({ request, dump }) =>
    withDumpTools(thaw, request, async (tools) => {
      const { place, proved } = await proveAgain(tools, dump, request.dryRun !== true);
      if (request.dryRun === true) {
        const notices = [...proved.proof.notices, ...(await missingCounterparts(tools, request, proved.toc))];
        return { ...proved.proof, notices };
      }
      await tools.inMaintenance((client) => keepRecord(client, () => writeProof(client, place, proved)));
      return proved.proof;
    });
}

/** Reads a dump to its end; that it is not good is kept. */
export async function proveAgain(
  tools: DumpTools,
  dump: DumpRef,
  keepsFault = true,
): Promise<{ readonly place: string; readonly proved: ProvenDump }> {
  const { env, signal, progress, withStore } = tools;
  progress.enter('download', dump.key);
  return withStore(async (store) => {
    try {
      const proved = await prove(store, dump, { env, signal, onBytes: bytesInto(progress) });
      progress.enter('merge', dump.key);
      return { place: store.name, proved };
    } catch (error) {
      if (keepsFault && error instanceof ThawError && isDamage(error.code))
        await keepFault(tools, store.name, dump, error.code);
      throw error;
    }
  });
}

/** What a dry run tells of a live database that is to be replaced. */
async function missingCounterparts(
  { inMaintenance, connection, env, signal, applicationName }: DumpTools,
  { database, mode }: DumpRequest,
  toc: ProvenDump['toc'],
): Promise<string[]> {
  if (mode === 'into-existing') return [];
  const live = await inMaintenance((client) => readDatabase(client, database));
  if (live === null || !live.allowsConnections) return [];
  return withDatabase(connection(database), env, { applicationName, signal }, (client) =>
    notInDump(client, toc),
  );
}

/** That it cannot be kept is not what the restore ends by. */
async function keepFault(
  { inMaintenance }: DumpTools,
  place: string,
  dump: DumpRef,
  fault: ErrorCode,
): Promise<void> {
  await inMaintenance((client) => keepRecord(client, () => writeFault(client, place, dump, fault))).catch(
    () => false,
  );
}
