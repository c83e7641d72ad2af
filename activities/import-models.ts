import { Context } from '@temporalio/activity';
import { decidedLines } from '../src/bundle/import-log.ts';
import { findTables, type LoadModelsOptions, loadModels, needsStage } from '../src/bundle/load-models.ts';
import { packGroups } from '../src/bundle/model-groups.ts';
import type { ModelLoad } from '../src/bundle/model-load.ts';
import { selectFiles } from '../src/bundle/selection.ts';
import type { Activities } from '../src/contract/activities.ts';
import { inFencedTransaction } from '../src/postgres/bundle-fence.ts';
import {
  type DecidedFile,
  readCreated,
  readDecidedFiles,
  sumDecidedFiles,
} from '../src/postgres/bundle-ledger.ts';
import { waitBriefly } from '../src/postgres/transaction.ts';
import { sumBundleTallies } from '../src/restore/bundle-tally.ts';
import { type BundleWorker, tallyOf, withBundleTools, writeLog } from './bundle-tools.ts';
import { whileHolding } from './hold-models.ts';
import { RunReport } from './run-report.ts';

/** Loads models, a transaction for each group; small ones share it. */
export function importModels(worker: BundleWorker): Activities['importModels'] {
  return async ({ request, groups, filesTotal }) =>
    withBundleTools(worker, request, async ({ bundle, client, progress }) => {
      const { restoreId, conflictStrategy: strategy, incremental, undoable = false, namespace } = request;
      const own = new Set(groups.flat());
      const created = await readCreated(client, request, [...own]);
      const loads = await findTables(
        client,
        namespace,
        selectFiles(bundle, request).filter(({ model }) => own.has(model)),
      );
      const byModel = new Map(loads.map((load) => [load.file.model, load]));
      // What an earlier attempt has committed, it may not have told.
      const decided = await readDecidedFiles(client, request, [...own]);
      const tell = (told: readonly DecidedFile[]) =>
        writeLog(
          worker,
          restoreId,
          told.flatMap((file) => decidedLines(file, strategy)),
        );
      await tell(decided);
      const done = new Set(decided.map(({ model }) => model));
      const left = groups
        .filter((group) => !group.every((model) => done.has(model)))
        .map((group) => group.flatMap((model) => byModel.get(model) ?? []));
      let whole = await sumDecidedFiles(client, request);
      let part = tallyOf(decided);
      const report = new RunReport(worker.control.database, restoreId, filesTotal, whole);
      await whileHolding(worker, request, client, [...own], async (prove) => {
        const load = (pack: Groups, way: LoadModelsOptions['way']) =>
          inFencedTransaction(client, restoreId, async () => {
            await prove(new Set(pack.flat().map(({ target }) => target.rootOid)));
            // A table that somebody has locked holds up no other.
            if (pack.length > 1) await waitBriefly(client);
            report.begin();
            return loadModels(client, pack, {
              restoreId,
              namespace,
              strategy,
              incremental,
              undoable,
              created,
              way,
              log: (lines) => writeLog(worker, restoreId, lines),
              onRecords: async (model, records) => {
                progress.enter('copy', model);
                progress.move(0, records);
                await report.reading(model, records);
              },
            });
          });
        try {
          for await (const loaded of loadPacks(packGroups(left), load)) {
            whole = sumBundleTallies(whole, tallyOf(loaded));
            part = sumBundleTallies(part, tallyOf(loaded));
            await tell(loaded);
            await report.importing(loaded.at(-1)?.model ?? '', whole, true);
          }
        } finally {
          // What was committed before a model that fails stays, and counts.
          await report.imported(whole);
        }
      });
      return part;
    });
}

type Groups = readonly (readonly ModelLoad[])[];

/**
 * Loads packs of groups in one transaction each. Where that fails, each group has its own, so that those before the
 * one to blame are loaded.
 *
 * @returns what each transaction has decided
 */
async function* loadPacks(
  packs: readonly Groups[],
  load: (groups: Groups, way: LoadModelsOptions['way']) => Promise<DecidedFile[]>,
): AsyncGenerator<readonly DecidedFile[]> {
  const { cancellationSignal: signal } = Context.current();
  for (const pack of packs) {
    let loaded: readonly DecidedFile[] | null = null;
    try {
      loaded = await load(pack, 'straight');
    } catch (error) {
      if (signal.aborted || (pack.length === 1 && !needsStage(error))) throw error;
    }
    if (loaded !== null) yield loaded;
    else for (const group of pack) yield await load([group], 'staged');
  }
}
