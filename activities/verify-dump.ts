import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRef } from '../src/contract/dump-request.ts';
import { withChecksum } from '../src/dump/verify/check-checksum.ts';
import type { DatabaseSurvey } from '../src/dump/verify/survey.ts';
import { verifyDatabase } from '../src/dump/verify/verify.ts';
import { verifyCluster } from '../src/dump/verify/verify-cluster.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { type KeptProof, readProof } from '../src/postgres/dump-proofs.ts';
import { readSurvey, writeTableRows } from '../src/postgres/dump-records.ts';
import { readIfAllowed } from '../src/postgres/kept.ts';
import { type DumpTools, withDumpTools } from './dump-tools.ts';
import { keepRecord } from './keep-record.ts';
import { proveAgain } from './prove-dump.ts';

/** Looks at what was loaded. */
export function verifyDump(thaw: ThawContext): DumpActivities['verifyDump'] {
  return ({ request, proof, load }) =>
    withDumpTools(thaw, request, async (tools) => {
      const { inMaintenance, connection, env, signal, progress } = tools;
      const { restoreId, part, options, mode, checks, checkUrls } = request;
      const found = await findProof(tools, proof.dump);
      const before = await inMaintenance((client) =>
        readIfAllowed(() => readSurvey<DatabaseSurvey>(client, restoreId)),
      );
      progress.enter('merge', load.database);
      const verification = {
        ...{ connection: connection(load.database), env, before, checks, checkUrls, signal },
        expected: { tables: found.tables, toc: found.toc, extensions: proof.extensions },
        restored: { part, options },
        appends: mode === 'into-existing' && !part.clean && !proof.dropsTables,
      };
      const { report, tables } =
        proof.format === 'cluster'
          ? await verifyCluster(verification, found.tables, connection)
          : await verifyDatabase(verification);
      await inMaintenance((client) => keepRecord(client, () => writeTableRows(client, restoreId, tables)));
      return withChecksum(report, proof);
    });
}

/** What the proof has found; where it was not kept, the dump is read once more. */
async function findProof(tools: DumpTools, dump: DumpRef): Promise<KeptProof> {
  const kept = await tools.withStore((store) =>
    tools.inMaintenance((client) => readIfAllowed(() => readProof(client, store.name, dump))),
  );
  return kept ?? (await proveAgain(tools, dump)).proved;
}
