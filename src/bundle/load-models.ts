import type pg from 'pg';
import type { BundleStrategy } from '../contract/run-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { LogLine } from '../control/logs.ts';
import { DirectSink } from '../load/direct-sink.ts';
import { StagedSink } from '../load/staged-sink.ts';
import { writtenColumns } from '../load/written-columns.ts';
import { type BundleScope, claimFiles, type DecidedFile, settleFiles } from '../postgres/bundle-ledger.ts';
import { readTargets, type TargetTable } from '../postgres/catalog.ts';
import { keptImages, undoKeyOf } from '../postgres/kept-images.ts';
import { setConstraints } from '../postgres/replaced-models.ts';
import type { ModelFile } from './bundle.ts';
import { copyModel } from './copy-model.ts';
import { deleteAll } from './delete-models.ts';
import { conflictingRecord, existingRecords, recordLines, warning } from './import-log.ts';
import { leaveOut } from './left-out.ts';
import { aboutModels, type ModelLoad } from './model-load.ts';
import { recordError } from './record-error.ts';

/** How models are loaded. */
export interface LoadModelsOptions extends BundleScope {
  readonly strategy: BundleStrategy;
  /** Leaves out files that were restored into their tables before. */
  readonly incremental: boolean;
  /** Keeps what is changed, so that it can be undone. */
  readonly undoable: boolean;
  /** Models that this restore has made. */
  readonly created: ReadonlySet<string>;
  /**
   * `straight`: records of models that this restore has made are copied into their tables at once, which fails where
   * one of them is there already; `staged` is the way for all cases.
   */
  readonly way: 'straight' | 'staged';
  /** Writes lines that are true whatever becomes of the transaction. */
  log(lines: readonly LogLine[]): Promise<void>;
  /** Called for records read, as they come. */
  onRecords(model: string, records: number): Promise<void>;
  /** Called for each file that was loaded, before the transaction ends. */
  onLoaded?(file: DecidedFile): Promise<void>;
}

/** The strategy of the merge behind each strategy of bundles. */
const merges = {
  // Of a record that is there twice, as an export that pages without an order may have it, the last counts.
  replace: 'upsert',
  upsert: 'upsert',
  merge: 'skip',
  sync: 'skip',
  skip: 'skip',
  error: 'fail',
} as const;

/**
 * Finds the tables of files, by few queries.
 *
 * @throws ThawError for the first file that has no table which takes records
 */
export async function findTables(
  client: pg.Client,
  namespace: string,
  files: readonly ModelFile[],
): Promise<ModelLoad[]> {
  const targets = await readTargets(
    client,
    namespace,
    files.map(({ model }) => model),
  );
  const byName = new Map(targets.map((target) => [target.table, target]));
  return files.flatMap((file) => {
    const target = byName.get(file.model);
    return target === undefined ? [] : [{ file, target }];
  });
}

/**
 * Loads groups of models within the transaction that is open, in their order. Those of a group, which point at each
 * other in a circle, are loaded together: their foreign keys are checked behind the last of them.
 *
 * @returns what became of each file; those that an earlier attempt of the restore has decided are left out
 * @throws ThawError for a file that cannot be read or loaded: then the transaction is to be rolled back
 */
export async function loadModels(
  client: pg.Client,
  groups: readonly (readonly ModelLoad[])[],
  options: LoadModelsOptions,
): Promise<DecidedFile[]> {
  const all = groups.flat();
  for (const { target } of all) checkKey(target, options.strategy);
  // One that cannot be undone is told before any is loaded.
  if (options.undoable) for (const { target } of all) undoKeyOf(target);
  const claimed = await claimFiles(
    client,
    options,
    all.map(({ file, target }) => ({ model: file.model, oid: target.oid })),
  );
  const mine = all.filter(({ file }) => claimed.has(file.model));
  const leftOut = await leaveOut(client, mine, options);
  const loads = new Set(mine.filter(({ file }) => !leftOut.has(file.model)));
  const decided = [...leftOut.values()];
  const replaces = options.strategy === 'replace';
  // What is deleted of one may be pointed at by another, until both have their new records.
  for (const group of replaces ? [all] : groups) {
    const due = group.filter((load) => loads.has(load));
    const isCircular = due.length > 1 || due.some(({ target }) => target.selfReferences.length > 0);
    if (isCircular) await setConstraints(client, 'deferred');
    const deleted = replaces ? await deleteAll(client, due, options) : null;
    for (const load of due) {
      const { model } = load.file;
      const counts = await loadModel(client, load, options);
      const file: DecidedFile = { ...counts, model, state: 'restored', deleted: deleted?.get(model) ?? 0 };
      decided.push(file);
      await options.onLoaded?.(file);
    }
    // Said here, it is an error of these models; at the commit it would be one of the transaction.
    if (isCircular) await aboutModels(due, () => setConstraints(client, 'immediate'));
  }
  await settleFiles(client, options, decided);
  return decided;
}

/** Whether an error may be one of the way `straight` only: what PostgreSQL has against a record. */
export function needsStage(error: unknown): boolean {
  if (!(error instanceof ThawError) || error.sqlstate === undefined) return false;
  return error.code === 'ConflictFound' || error.code === 'RowRejected';
}

type LoadedCounts = Pick<DecidedFile, 'inserted' | 'updated' | 'skipped' | 'sha256'>;

async function loadModel(
  client: pg.Client,
  load: ModelLoad,
  options: LoadModelsOptions,
): Promise<LoadedCounts> {
  const isNew = options.created.has(load.file.model);
  const isStraight = options.way === 'straight' && load.target.stagedOnly === null && !options.undoable;
  return isNew && isStraight ? copyStraight(client, load, options) : mergeStaged(client, load, options);
}

async function copyStraight(
  client: pg.Client,
  { file, target }: ModelLoad,
  options: LoadModelsOptions,
): Promise<LoadedCounts> {
  const { model } = file;
  const columns = writtenColumns(target);
  const sink = new DirectSink(client, target, columns);
  try {
    const { unknown, sha256, records } = await copyModel(file, columns, sink, (read) =>
      options.onRecords(model, read),
    );
    await sink.flush();
    await options.log([...unknown].map(([key, values]) => unknownField(model, key, values)));
    return { sha256, inserted: records, updated: 0, skipped: 0 };
  } catch (raw) {
    await sink.abandon();
    throw recordError(raw, { file, target }, sink);
  }
}

async function mergeStaged(
  client: pg.Client,
  { file, target }: ModelLoad,
  options: LoadModelsOptions,
): Promise<LoadedCounts> {
  const { model } = file;
  const { strategy, log } = options;
  const columns = writtenColumns(target);
  const sink = new StagedSink(
    client,
    target,
    columns,
    { conflictStrategy: merges[strategy], batchSize: null },
    null,
    options.undoable ? keptImages(target, options.restoreId) : null,
  );
  try {
    const { unknown, sha256 } = await copyModel(file, columns, sink, (read) =>
      options.onRecords(model, read),
    );
    await sink.flush();
    await log([...unknown].map(([key, values]) => unknownField(model, key, values)));
    if (strategy === 'sync') await log(existingRecords(model, await sink.existingKeys(0, recordLines)));
    if (strategy === 'error') await refuseExisting(sink, model, log);
    const counts = (await sink.merge()).get(0) ?? { inserted: 0, updated: 0, skipped: 0 };
    // A record that is there is updated, also where that changes nothing.
    const unchanged = sink.unchanged(0);
    await sink.drop();
    return {
      sha256,
      inserted: counts.inserted,
      updated: counts.updated + unchanged,
      skipped: counts.skipped - unchanged,
    };
  } catch (raw) {
    await sink.abandon();
    throw recordError(raw, { file, target }, sink);
  }
}

/** @throws ThawError `ConflictFound` naming the first record that is there */
async function refuseExisting(sink: StagedSink, model: string, log: LoadModelsOptions['log']): Promise<void> {
  const [record] = await sink.existingKeys(0, 1);
  if (record === undefined) return;
  await log([conflictingRecord(model, record)]);
  throw new ThawError('ConflictFound', `${model}: record ${record} already exists (error strategy).`, {
    object: model,
    hint: 'Use another conflict_strategy, for instance upsert, or delete the record.',
  });
}

function checkKey(target: TargetTable, strategy: BundleStrategy): void {
  if (merges[strategy] !== 'upsert' || target.conflictKey !== null) return;
  const object = `${target.schema}.${target.table}`;
  throw new ThawError(
    'SchemaIncompatible',
    `${object}: ${strategy} needs a primary key to find records by.`,
    {
      object,
      hint: 'Add one on id, or use conflict_strategy skip or error.',
    },
  );
}

function unknownField(model: string, key: string, values: number): LogLine {
  const name = JSON.stringify(key.slice(0, 60));
  return warning('data_import', model, `Field ${name} does not exist: ${values} values were left out`);
}
