import type { BundleContents } from '../contract/bundle-activities.ts';
import type { TableError } from '../contract/outcome.ts';
import type { RestoreState } from '../contract/progress.ts';
import type { BundleRequest, BundleStrategy } from '../contract/run-request.ts';
import type { LogLine } from '../control/logs.ts';
import type { DecidedFile, MadeModel } from '../postgres/bundle-ledger.ts';

/** Log lines of single records for each model; what is beyond is counted. */
export const recordLines = 10_000;

/** Lines of one phase about one model, or about the whole bundle. */
function line(
  phase: LogLine['phase'],
  level: LogLine['level'],
  model: string | null,
  message: string,
  detail: LogLine['detail'] = null,
): LogLine {
  return {
    key: [phase ?? 'run', model ?? '', message].join('/'),
    level,
    phase,
    model,
    record: null,
    message,
    detail,
  };
}

/** A bundle that was opened, and what of it is restored. */
export function openedLines({ source }: BundleRequest, { models, files, bytes }: BundleContents): LogLine[] {
  const name = source.kind === 'stored' ? source.filename : 'bundle';
  return [
    line('upload', 'info', null, `Opened ${name}`, { files, bytes }),
    line('validation', 'info', null, `Found ${models} models and ${files} data files to restore`),
  ];
}

/** All files of a bundle were read to their ends. */
export function validLine(files: number, records: number): LogLine {
  return line('validation', 'info', null, `Bundle is valid: ${files} data files, ${records} records`, {
    files,
    records,
  });
}

/** The end of a run; null while it goes on. */
export function endLine(state: RestoreState, error: TableError | null): LogLine | null {
  if (state === 'completed') return line(null, 'info', null, 'Restore completed successfully');
  if (state === 'cancelled') return line(null, 'warn', null, 'Restore cancelled by user');
  if (state !== 'failed') return null;
  const detail = error === null ? null : { code: error.code, hint: error.hint };
  return line(null, 'error', null, `Restore failed: ${error?.message ?? 'for an unknown reason'}`, detail);
}

/** A model of the bundle that is left out. */
export function skippedModel(model: string, why: string, level: LogLine['level'] = 'info'): LogLine {
  return line('validation', level, model, `Skipping model (${why})`);
}

/** Something of the bundle that has no effect. */
export function warning(phase: LogLine['phase'], model: string | null, message: string): LogLine {
  return line(phase, 'warn', model, message);
}

/** What was made of models, by the record of it: the same lines whenever they are written. */
export function madeLines(made: readonly MadeModel[]): LogLine[] {
  return made.flatMap(({ model, created, fields }) => [
    ...(created ? [line('describe_import', 'info', model, 'Created model')] : []),
    ...fields.map((field) => line('describe_import', 'info', model, `Created field: ${field}`)),
  ]);
}

/** What became of a file, by the ledger: the same lines whenever they are written. */
export function decidedLines(file: DecidedFile, strategy: BundleStrategy): LogLine[] {
  const { model, inserted, updated, skipped, deleted, state } = file;
  const say = (message: string, detail: LogLine['detail'] = null) =>
    line('data_import', 'info', model, message, detail);
  if (state === 'same') return [say('Skipped file (the same was restored before)')];
  if (state === 'skipped') return [say(`Skipped ${skipped} records (model exists, ${strategy} strategy)`)];
  const replaced =
    strategy === 'replace'
      ? [say('Deleted all existing records (replace strategy)', { records: deleted })]
      : [];
  const beyond =
    strategy === 'sync' && skipped > recordLines
      ? [say(`Skipped ${skipped - recordLines} more existing records (sync strategy)`)]
      : [];
  return [
    ...replaced,
    ...beyond,
    say(`Imported ${inserted} records, skipped ${skipped}, updated ${updated}`, {
      inserted,
      updated,
      skipped,
      deleted,
    }),
  ];
}

/** Records that are in the model already. */
export function existingRecords(model: string, records: readonly string[]): LogLine[] {
  return records.map((record) => ({
    key: `data_import/${model}/existing/${record}`,
    level: 'info',
    phase: 'data_import',
    model,
    record,
    message: 'Skipped existing record (sync strategy)',
    detail: { reason: 'record_exists_in_parent' },
  }));
}

/** The record that ends an import under the strategy `error`. */
export function conflictingRecord(model: string, record: string): LogLine {
  return {
    key: `data_import/${model}/conflict`,
    level: 'error',
    phase: 'data_import',
    model,
    record,
    message: 'Record already exists (error strategy)',
    detail: null,
  };
}
