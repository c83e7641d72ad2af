import { decidedLines } from '../src/bundle/import-log.ts';
import { loadModels } from '../src/bundle/load-models.ts';
import type { Activities } from '../src/contract/activities.ts';
import { inFencedTransaction } from '../src/postgres/bundle-fence.ts';
import { type DecidedFile, readDecidedFiles, readMade } from '../src/postgres/bundle-ledger.ts';
import { type BundleWorker, tallyOf, withBundleTools, writeLog } from './bundle-tools.ts';
import { RunReport } from './run-report.ts';

/** Loads models, a transaction for each group. */
export function importModels(worker: BundleWorker): Activities['importModels'] {
  return async ({ request, groups, filesTotal }) =>
    withBundleTools(worker, request, async ({ client, selection, progress }) => {
      const { restoreId, conflictStrategy: strategy, incremental, namespace } = request;
      const report = new RunReport(worker.control.database, restoreId, filesTotal);
      const files = new Map(selection.files.map((file) => [file.model, file]));
      const own = new Set(groups.flat());
      const made = await readMade(client, request);
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
      for (const group of groups) {
        if (group.every((model) => done.has(model))) continue;
        const loaded = await inFencedTransaction(client, restoreId, () =>
          loadModels(
            client,
            group.flatMap((model) => files.get(model) ?? []),
            {
              restoreId,
              namespace,
              strategy,
              incremental,
              created: new Set(made.filter(({ created }) => created).map(({ model }) => model)),
              log: (lines) => writeLog(worker, restoreId, lines),
              onRecords: (model, records) => {
                progress.enter('copy', model);
                progress.move(0, records);
              },
            },
          ),
        );
        decided.push(...loaded);
        await tell(loaded);
        await report.importing(group[0] ?? '', tallyOf(decided), true);
      }
      await report.imported(tallyOf(decided));
      return tallyOf(decided.filter(({ model }) => own.has(model)));
    });
}
