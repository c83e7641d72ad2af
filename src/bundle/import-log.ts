import type { BundleStrategy } from '../contract/run-request.ts';
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
  return { key: [phase, model ?? '', message].join('/'), level, phase, model, record: null, message, detail };
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
