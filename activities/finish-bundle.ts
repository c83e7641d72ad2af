import { warning } from '../src/bundle/import-log.ts';
import type { Activities } from '../src/contract/activities.ts';
import { writeInstalled } from '../src/control/installed-bundles.ts';
import { readDecidedFiles } from '../src/postgres/bundle-ledger.ts';
import { readTarget } from '../src/postgres/catalog.ts';
import { analyzeTable } from '../src/postgres/indexes.ts';
import { advanceSequences } from '../src/postgres/sequences.ts';
import { type BundleWorker, withBundleTools, writeLog } from './bundle-tools.ts';

/** Moves sequences, runs ANALYZE, writes that the bundle is installed. */
export function finishBundle(worker: BundleWorker): Activities['finishBundle'] {
  return async (request) =>
    withBundleTools(worker, request, async ({ client, bundle, progress }) => {
      const { restoreId, namespace } = request;
      for (const { model, inserted, updated, deleted } of await readDecidedFiles(client, request)) {
        if (inserted + updated + deleted === 0) continue;
        progress.enter('commit', model);
        const target = await readTarget(client, namespace, model);
        const notices = [
          ...(await advanceSequences(client, target)),
          ...(await analyzeTable(client, target)),
        ];
        await writeLog(
          worker,
          restoreId,
          notices.map((notice) => warning('data_import', model, notice)),
        );
      }
      const { manifest } = bundle;
      const installs = manifest?.package ?? null;
      if (installs === null) return;
      await worker.control.database.use((control) => writeInstalled(control, request, installs, restoreId));
    });
}
