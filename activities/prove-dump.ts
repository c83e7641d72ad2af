import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRef } from '../src/contract/dump-request.ts';
import { type ProvenDump, proveDump as prove } from '../src/dump/format/prove.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { writeProof } from '../src/postgres/dump-proofs.ts';
import { bytesInto, type DumpTools, withDumpTools } from './dump-tools.ts';
import { keepRecord } from './keep-record.ts';

/** Reads a dump to its end, and keeps what it found: counts and contents grow with its tables. */
export function proveDump(thaw: ThawContext): DumpActivities['proveDump'] {
  return ({ request, dump }) =>
    withDumpTools(thaw, request, async (tools) => {
      const { place, proved } = await proveAgain(tools, dump);
      await tools.inMaintenance((client) => keepRecord(client, () => writeProof(client, place, proved)));
      return proved.proof;
    });
}

/** Reads a dump to its end. */
export async function proveAgain(
  { env, signal, progress, withStore }: DumpTools,
  dump: DumpRef,
): Promise<{ readonly place: string; readonly proved: ProvenDump }> {
  progress.enter('download', dump.key);
  return withStore(async (store) => {
    const proved = await prove(store, dump, { env, signal, onBytes: bytesInto(progress) });
    progress.enter('merge', dump.key);
    return { place: store.name, proved };
  });
}
