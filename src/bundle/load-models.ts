import type pg from 'pg';
import type { BundleStrategy } from '../contract/run-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { LogLine } from '../control/logs.ts';
import { StagedSink } from '../load/sink.ts';
import { writtenColumns } from '../load/written-columns.ts';
import {
  type BundleScope,
  claimFiles,
  type DecidedFile,
  isUnfilled,
  settleFile,
  wasRestored,
} from '../postgres/bundle-ledger.ts';
import { readTargets, type TargetTable } from '../postgres/catalog.ts';
import {
  countRows,
  deleteRows,
  lockAgainstWrites,
  readDependents,
  setConstraints,
} from '../postgres/replaced-models.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import type { ModelFile } from './bundle.ts';
import { copyModel, digestOf } from './copy-model.ts';
import { conflictingRecord, existingRecords, recordLines, warning } from './import-log.ts';

/** How models are loaded. */
export interface LoadModelsOptions extends BundleScope {
  readonly strategy: BundleStrategy;
  /** Leaves out files that were restored into their tables before. */
  readonly incremental: boolean;
  /** Models that this restore has made. */
  readonly created: ReadonlySet<string>;
  /** Writes lines that are true whatever becomes of the transaction. */
  log(lines: readonly LogLine[]): Promise<void>;
  /** Called for records read, as they come. */
  onRecords(model: string, records: number): void;
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

/** A file and where it goes. */
export interface ModelLoad {
  readonly file: ModelFile;
  readonly target: TargetTable;
}

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
 * Loads the files of some models within the transaction that is open, in their order. Those that point at each
 * other in a circle have to be loaded together: their foreign keys are checked at the end.
 *
 * @returns what became of each file; those that an earlier attempt of the restore has decided are left out
 * @throws ThawError for a file that cannot be read or loaded: then the transaction is to be rolled back
 */
export async function loadModels(
  client: pg.Client,
  all: readonly ModelLoad[],
  options: LoadModelsOptions,
): Promise<DecidedFile[]> {
  for (const { target } of all) checkKey(target, options.strategy);
  const claimed = await claimFiles(
    client,
    options,
    all.map(({ file, target }) => ({ model: file.model, oid: target.oid })),
  );
  const decided: DecidedFile[] = [];
  const loads: ModelLoad[] = [];
  for (const load of all) {
    if (!claimed.has(load.file.model)) continue;
    const leftOut = await leaveOut(client, load, options);
    if (leftOut === null) loads.push(load);
    else decided.push(leftOut);
  }
  const isCircular = loads.length > 1 || loads.some(({ target }) => target.selfReferences.length > 0);
  if (isCircular) await setConstraints(client, 'deferred');
  const deleted = options.strategy === 'replace' ? await deleteAll(client, loads) : null;
  for (const load of loads) {
    const { model } = load.file;
    const counts = await loadModel(client, load, options);
    const file: DecidedFile = { ...counts, model, state: 'restored', deleted: deleted?.get(model) ?? 0 };
    decided.push(file);
    await options.onLoaded?.(file);
  }
  // Said here, it is an error of these models; at the commit it would be one of the transaction.
  if (isCircular) await settled(loads, () => setConstraints(client, 'immediate'));
  for (const file of decided) await settleFile(client, options, file);
  return decided;
}

/** What becomes of a file that is not loaded; null where it is. */
async function leaveOut(
  client: pg.Client,
  { file, target }: ModelLoad,
  options: LoadModelsOptions,
): Promise<DecidedFile | null> {
  const { model } = file;
  const none = { model, inserted: 0, updated: 0, skipped: 0, deleted: 0 };
  if (options.incremental) {
    const sha256 = file.sha256 ?? (await digestOf(file));
    if (await wasRestored(client, target.oid, sha256)) return { ...none, sha256, state: 'same' };
  }
  if (options.strategy !== 'merge' || options.created.has(model)) return null;
  // Else an installation that failed could not be done again: its models are there now.
  if (await isUnfilled(client, options, model, target.oid)) return null;
  const { records, sha256 } = await copyModel(file, [], null, (read) => options.onRecords(model, read));
  return { ...none, sha256, skipped: records, state: 'skipped' };
}

/** Deletes the records of the models, those first that point at others, and gives how many there were. */
async function deleteAll(client: pg.Client, loads: readonly ModelLoad[]): Promise<Map<string, number>> {
  const [dependent] = await readDependents(
    client,
    loads.map(({ target }) => target.oid),
  );
  if (dependent !== undefined) {
    throw new ThawError(
      'ConflictFound',
      `${dependent.parent}: to delete its records would change or delete those of ${dependent.name}, which is not replaced.`,
      { object: dependent.parent, hint: 'Replace both, or use another conflict_strategy.' },
    );
  }
  const counts = new Map<string, number>();
  const run = async (load: ModelLoad, work: () => Promise<unknown>) => settled([load], work);
  for (const load of loads) {
    const { schema, table } = load.target;
    await run(load, () => lockAgainstWrites(client, schema, table));
    // Counted before any is deleted: those of one model may go with those of another.
    counts.set(load.file.model, await countRows(client, schema, table));
  }
  for (const load of loads.toReversed()) {
    await run(load, () => deleteRows(client, load.target.schema, load.target.table));
  }
  return counts;
}

async function loadModel(
  client: pg.Client,
  { file, target }: ModelLoad,
  options: LoadModelsOptions,
): Promise<Pick<DecidedFile, 'inserted' | 'updated' | 'skipped' | 'sha256'>> {
  const { model } = file;
  const { strategy, log } = options;
  const columns = writtenColumns(target);
  const sink = new StagedSink(
    client,
    target,
    columns,
    { conflictStrategy: merges[strategy], batchSize: null },
    null,
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
    throw databaseError(raw, { object: `${target.schema}.${target.table}` });
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

async function settled<T>(loads: readonly ModelLoad[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (raw) {
    const names = loads.map(({ target }) => `${target.schema}.${target.table}`);
    throw databaseError(raw, { object: names.slice(0, 5).join(', ') });
  }
}
