import { warning } from '../src/bundle/import-log.ts';
import type { Activities } from '../src/contract/activities.ts';
import { writeInstalled } from '../src/control/installed-bundles.ts';
import { readDecidedFiles } from '../src/postgres/bundle-ledger.ts';
import { readTarget } from '../src/postgres/catalog.ts';
import { analyzeTables } from '../src/postgres/indexes.ts';
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
      const loaded = await readLoadedModels(client, namespace, models);
      const tell = (model: string, notices: readonly string[]) =>
        writeLog(
          worker,
          restoreId,
          notices.map((notice) => warning('data_import', model, notice)),
        );
      for (const { table, hasSequence } of loaded) {
        progress.enter('commit', table);
        if (!hasSequence) continue;
        await tell(table, await advanceSequences(client, await readTarget(client, namespace, table)));
      }
      for (const [{ table }, notices] of await analyzeTables(client, loaded)) await tell(table, notices);
      const { manifest } = bundle;
      const installs = manifest?.package ?? null;
      if (installs === null) return;
      await worker.control.database.use((control) => writeInstalled(control, request, installs, restoreId));
    });
}
