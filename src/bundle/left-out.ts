import type pg from 'pg';
import { type DecidedFile, readRestored, readUnfilled } from '../postgres/bundle-ledger.ts';
import { copyModel, digestOf } from './copy-model.ts';
import type { LoadModelsOptions } from './load-models.ts';
import type { ModelLoad } from './model-load.ts';

/** What becomes of the files that are not loaded, by the names of their models. */
export async function leaveOut(
  client: pg.Client,
  loads: readonly ModelLoad[],
  options: LoadModelsOptions,
): Promise<Map<string, DecidedFile>> {
  const leftOut = new Map<string, DecidedFile>();
  if (options.incremental) await leaveOutSame(client, loads, leftOut);
  if (options.strategy !== 'merge') return leftOut;
  const old = loads.filter(({ file: { model } }) => !leftOut.has(model) && !options.created.has(model));
  // Else an installation that failed could not be done again: its models are there now.
  const unfilled = await readUnfilled(client, options, old.map(fileOf));
  for (const { file } of old) {
    const { model } = file;
    if (unfilled.has(model)) continue;
    const { records, sha256 } = await copyModel(file, [], null, (read) => options.onRecords(model, read));
    leftOut.set(model, { ...nothing(model), sha256, skipped: records, state: 'skipped' });
  }
  return leftOut;
}

/** Those that were restored before. */
async function leaveOutSame(
  client: pg.Client,
  loads: readonly ModelLoad[],
  leftOut: Map<string, DecidedFile>,
): Promise<void> {
  const digests = new Map<string, string>();
  for (const { file } of loads) digests.set(file.model, file.sha256 ?? (await digestOf(file)));
  const files = loads.map((load) => ({ ...fileOf(load), sha256: digests.get(load.file.model) ?? '' }));
  const restored = await readRestored(client, files);
  for (const { model, sha256 } of files) {
    if (restored.has(model)) leftOut.set(model, { ...nothing(model), sha256, state: 'same' });
  }
}

function fileOf({ file, target }: ModelLoad) {
  return { model: file.model, oid: target.oid };
}

function nothing(model: string) {
  return { model, inserted: 0, updated: 0, skipped: 0, deleted: 0 };
}
