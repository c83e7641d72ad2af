import { warning } from '../src/bundle/import-log.ts';
import type { Activities } from '../src/contract/activities.ts';
import { writeInstalled } from '../src/control/installed-bundles.ts';
import { readDecidedFiles } from '../src/postgres/bundle-ledger.ts';
import { readTarget } from '../src/postgres/catalog.ts';
import { analyzeTable } from '../src/postgres/indexes.ts';
import { readLoadedModels } from '../src/postgres/loaded-models.ts';
import { advanceSequences } from '../src/postgres/sequences.ts';
import { type BundleWorker, withBundleTools, writeLog } from './bundle-tools.ts';

/** Moves sequences, runs ANALYZE, writes that the bundle is installed. */
export function finishBundle(worker: BundleWorker): Activities['finishBundle'] {
  return async (request) =>
    withBundleTools(worker, request, async ({ client, bundle, progress }) => {
      const { restoreId, namespace } = request;
      const changed = (await readDecidedFiles(client, request)).filter(
        ({ inserted, updated, deleted }) => inserted + updated + deleted > 0,
      );
      const models = changed.map(({ model }) => model);
      for (const model of await readLoadedModels(client, namespace, models)) {
        progress.enter('commit', model.table);
        const notices = model.hasSequence
          ? await advanceSequences(client, await readTarget(client, namespace, model.table))
          : [];
        notices.push(...(await analyzeTable(client, model)));
        await writeLog(
          worker,
          restoreId,
          notices.map((notice) => warning('data_import', model.table, notice)),
        );
      }
      const { manifest } = bundle;
      const installs = manifest?.package ?? null;
      if (installs === null) return;
      await worker.control.database.use((control) => writeInstalled(control, request, installs, restoreId));
    });
}
