import { decidedLines } from '../src/bundle/import-log.ts';
import { findTables, loadModels } from '../src/bundle/load-models.ts';
import { selectFiles } from '../src/bundle/selection.ts';
import type { Activities } from '../src/contract/activities.ts';
import { inFencedTransaction } from '../src/postgres/bundle-fence.ts';
import { type DecidedFile, readDecidedFiles, readMade } from '../src/postgres/bundle-ledger.ts';
import { sumBundleTallies } from '../src/restore/bundle-tally.ts';
import { type BundleWorker, tallyOf, withBundleTools, writeLog } from './bundle-tools.ts';
import { whileHolding } from './hold-models.ts';
import { RunReport } from './run-report.ts';

/** Loads models, a transaction for each group. */
export function importModels(worker: BundleWorker): Activities['importModels'] {
  return async ({ request, groups, filesTotal }) =>
    withBundleTools(worker, request, async ({ bundle, client, progress }) => {
      const { restoreId, conflictStrategy: strategy, incremental, namespace } = request;
      const report = new RunReport(worker.control.database, restoreId, filesTotal);
      const own = new Set(groups.flat());
      const made = await readMade(client, request);
      const created = new Set(made.filter((each) => each.created).map(({ model }) => model));
      const loads = await findTables(
        client,
        namespace,
        selectFiles(bundle, request).filter(({ model }) => own.has(model)),
      );
      const byModel = new Map(loads.map((load) => [load.file.model, load]));
      // What an earlier attempt has committed, it may not have told.
      const decided = await readDecidedFiles(client, request);
      const tell = (told: readonly DecidedFile[]) =>
        writeLog(
          worker,
          restoreId,
          told.flatMap((file) => decidedLines(file, strategy)),
        );
      await tell(decided.filter(({ model }) => own.has(model)));
      const done = new Set(decided.map(({ model }) => model));
      let whole = tallyOf(decided);
      let part = tallyOf(decided.filter(({ model }) => own.has(model)));
      await whileHolding(worker, request, client, [...own], async (prove) => {
        for (const group of groups) {
          if (group.every((model) => done.has(model))) continue;
          const loaded = await inFencedTransaction(client, restoreId, async () => {
            await prove();
            return loadModels(
              client,
              group.flatMap((model) => byModel.get(model) ?? []),
              {
                restoreId,
                namespace,
                strategy,
                incremental,
                created,
                log: (lines) => writeLog(worker, restoreId, lines),
                onRecords: (model, records) => {
                  progress.enter('copy', model);
                  progress.move(0, records);
                },
              },
            );
          });
          whole = sumBundleTallies(whole, tallyOf(loaded));
          part = sumBundleTallies(part, tallyOf(loaded));
          await tell(loaded);
          await report.importing(group[0] ?? '', whole, true);
        }
      });
      await report.imported(whole);
      return part;
    });
}
