import { findAltered, importDescribe } from '../src/bundle/import-describe.ts';
import { decidedLines, madeLines, warning } from '../src/bundle/import-log.ts';
import { findTables, type LoadModelsOptions, loadModels, needsStage } from '../src/bundle/load-models.ts';
import { groupFiles } from '../src/bundle/model-groups.ts';
import { type Selection, selectModels } from '../src/bundle/selection.ts';
import type { Activities } from '../src/contract/activities.ts';
import { type ModelReport, maxModelsReported, type WholeImport } from '../src/contract/bundle-activities.ts';
import type { BundleRequest } from '../src/contract/run-request.ts';
import { updateRun } from '../src/control/runs.ts';
import { beginFenced } from '../src/postgres/bundle-fence.ts';
import {
  type DecidedFile,
  type MadeModel,
  readDecidedFiles,
  readMade,
} from '../src/postgres/bundle-ledger.ts';
import { recordUndoableImport } from '../src/postgres/made-objects.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { emptyBundleTally, sumBundleTallies } from '../src/restore/bundle-tally.ts';
import { type BundleTools, type BundleWorker, tallyOf, withBundleTools, writeLog } from './bundle-tools.ts';
import { whileHolding } from './hold-models.ts';
import { countMade } from './import-describe.ts';
import { countsOf, RunReport, reportDescribed } from './run-report.ts';

/** Makes models and loads them in one transaction, which a dry run rolls back. */
export function importWhole(worker: BundleWorker): Activities['importWhole'] {
  return async (request) =>
    withBundleTools(worker, request, async (tools) => {
      const { dryRun, namespace } = request;
      const { client, bundle } = tools;
      await ensureSchema(client);
      const selection = await selectModels(bundle, request);
      // A dry run leaves nothing, no mark that it holds a table either.
      if (dryRun)
        return inOneTransaction(worker, request, tools, { selection, held: null, prove: async () => {} });
      const altered = await findAltered(client, namespace, selection.models);
      const held = new Set([...selection.files.map(({ model }) => model), ...altered]);
      return whileHolding(worker, request, client, [...held], (prove) =>
        inOneTransaction(worker, request, tools, { selection, held, prove }),
      );
    });
}

interface Whole {
  readonly selection: Selection;
  /** Models whose tables are taken; null: of a dry run none is. */
  readonly held: ReadonlySet<string> | null;
  /** Makes sure that no other restore writes into them. */
  readonly prove: () => Promise<void>;
}

async function inOneTransaction(
  worker: BundleWorker,
  request: BundleRequest,
  tools: BundleTools,
  whole: Whole,
): Promise<WholeImport> {
  const { restoreId, dryRun, conflictStrategy } = request;
  const { client } = tools;
  await beginFenced(client, restoreId);
  try {
    await whole.prove();
    if (request.undoable) await recordUndoableImport(client, request);
    await importAll(worker, request, tools, whole);
    const made = await readMade(client, request);
    const decided = await readDecidedFiles(client, request);
    await client.query(dryRun ? 'rollback' : 'commit');
    await writeLog(worker, restoreId, [
      ...madeLines(made),
      ...decided.flatMap((file) => decidedLines(file, conflictStrategy)),
    ]);
    await report(worker, request, made, decided);
    return { ...countMade(made), tally: tallyOf(decided) };
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

async function importAll(
  worker: BundleWorker,
  request: BundleRequest,
  { client, progress }: BundleTools,
  { selection, held }: Whole,
): Promise<void> {
  const {
    restoreId,
    conflictStrategy: strategy,
    incremental,
    undoable = false,
    namespace,
    createModels,
  } = request;
  const log = (lines: Parameters<typeof writeLog>[2]) => writeLog(worker, restoreId, lines);
  const warnings = await importDescribe(client, selection.models, {
    restoreId,
    namespace,
    createModels,
    withData: request.include.includes('data'),
    undoable,
    held,
    transact: (work) => work(),
    onProgress: (models) => progress.enter('merge', `${models} models`),
  });
  await log(warnings.map(({ model, message }) => warning('describe_import', model, message)));
  const made = await readMade(client, request);
  await reportDescribed(worker.control.database, restoreId, countMade(made), false);
  const files = (await groupFiles(client, namespace, selection.files)).flat();
  const runReport = new RunReport(worker.control.database, restoreId, files.length, emptyBundleTally);
  const loads = await findTables(client, namespace, files);
  const load = async (way: LoadModelsOptions['way']) => {
    let tally = emptyBundleTally;
    runReport.begin();
    await loadModels(client, [loads], {
      restoreId,
      namespace,
      strategy,
      incremental,
      undoable,
      created: new Set(made.filter(({ created }) => created).map(({ model }) => model)),
      way,
      log,
      onRecords: async (model, records) => {
        progress.enter('copy', model);
        progress.move(0, records);
        await runReport.reading(model, records);
      },
      onLoaded: async (file) => {
        tally = sumBundleTallies(tally, tallyOf([file]));
        await runReport.importing(file.model, tally, false);
      },
    });
  };
  // Nobody waits for what is copied straight: it goes into tables that nobody else sees yet.
  await client.query('savepoint straight');
  try {
    await load('straight');
  } catch (error) {
    if (!needsStage(error)) throw error;
    await client.query('rollback to savepoint straight');
    await load('staged');
  }
  await client.query('release savepoint straight');
}

/** Writes what was done or, of a dry run, what would be. */
async function report(
  { control }: BundleWorker,
  { restoreId, dryRun }: BundleRequest,
  made: readonly MadeModel[],
  decided: readonly DecidedFile[],
): Promise<void> {
  const tally = tallyOf(decided);
  const counts = countMade(made);
  await control.database.use((client) =>
    dryRun
      ? updateRun(client, restoreId, {
          state: 'running',
          progress: 99,
          progressDetail: {
            phase: 'dry_run',
            models_created: counts.modelsCreated,
            fields_created: counts.fieldsCreated,
            inserts: tally.inserted,
            updates: tally.updated,
            skips: tally.skipped,
            deletes: tally.deleted,
            models: modelReports(made, decided).slice(0, maxModelsReported).map(reportJson),
          },
        })
      : new RunReport(control.database, restoreId, tally.files, tally)
          .imported(tally)
          .then(() =>
            updateRun(client, restoreId, { state: 'running', counts: { ...counts, ...countsOf(tally) } }),
          ),
  );
}

function modelReports(made: readonly MadeModel[], decided: readonly DecidedFile[]): ModelReport[] {
  const names = [...new Set([...made, ...decided].map(({ model }) => model))].sort();
  const makes = new Map(made.map((each) => [each.model, each]));
  const files = new Map(decided.map((each) => [each.model, each]));
  return names.map((model) => {
    const file = files.get(model);
    return {
      model,
      created: makes.get(model)?.created ?? false,
      fieldsCreated: makes.get(model)?.fields.length ?? 0,
      inserts: file?.inserted ?? 0,
      updates: file?.updated ?? 0,
      skips: file?.skipped ?? 0,
      deletes: file?.deleted ?? 0,
    };
  });
}

function reportJson({ fieldsCreated, ...report }: ModelReport): Readonly<Record<string, unknown>> {
  return { ...report, fields_created: fieldsCreated };
}
