import { findAltered, importDescribe as makeModels } from '../src/bundle/import-describe.ts';
import { madeLines, warning } from '../src/bundle/import-log.ts';
import { groupFiles, partGroups } from '../src/bundle/model-groups.ts';
import { selectModels } from '../src/bundle/selection.ts';
import type { Activities } from '../src/contract/activities.ts';
import { inFencedTransaction } from '../src/postgres/bundle-fence.ts';
import { type MadeModel, readMade } from '../src/postgres/bundle-ledger.ts';
import { recordUndoableImport } from '../src/postgres/made-objects.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { type BundleWorker, withBundleTools, writeLog } from './bundle-tools.ts';
import { whileHolding } from './hold-models.ts';
import { type MadeCounts, reportDescribed } from './run-report.ts';

/** Makes the models that are missing, and orders them by their relationships. */
export function importDescribe(worker: BundleWorker): Activities['importDescribe'] {
  return async (request) =>
    withBundleTools(worker, request, async ({ bundle, client, progress }) => {
      const selection = await selectModels(bundle, request);
      const { restoreId, createModels, namespace, undoable = false } = request;
      await ensureSchema(client);
      if (undoable) await recordUndoableImport(client, request);
      const altered = await findAltered(client, namespace, selection.models);
      const warnings = await whileHolding(worker, request, client, altered, (prove) =>
        makeModels(client, selection.models, {
          restoreId,
          namespace,
          createModels,
          withData: request.include.includes('data'),
          undoable,
          held: new Set(altered),
          transact: (work) =>
            inFencedTransaction(client, restoreId, async () => {
              await prove();
              return work();
            }),
          onProgress: (models) => progress.enter('merge', `${models} models`),
        }),
      );
      const made = await readMade(client, request);
      await writeLog(worker, restoreId, [
        ...madeLines(made),
        ...warnings.map(({ model, message }) => warning('describe_import', model, message)),
      ]);
      const counts = countMade(made);
      await reportDescribed(worker.control.database, restoreId, counts, true);
      const groups = await groupFiles(client, namespace, selection.files);
      const parts = partGroups(groups).map((part) => part.map((group) => group.map(({ model }) => model)));
      return { ...counts, parts };
    });
}

/** How many models and fields were made. */
export function countMade(made: readonly MadeModel[]): MadeCounts {
  return {
    modelsCreated: made.filter(({ created }) => created).length,
    fieldsCreated: made.reduce((sum, { fields }) => sum + fields.length, 0),
  };
}
