import { type ErrorCode, errorTraits } from '../contract/error-code.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** What to do about errors of bundles, where the hint of the code speaks of archives and of flags. */
const hints: Partial<Record<ErrorCode, string>> = {
  ArchiveCorrupt: 'Make the bundle anew from its extract, or leave the model out with models.',
  RowRejected:
    'Correct the record in the bundle, and the checksum of its file in manifest.json, or alter the table. models leaves a model out.',
  ConflictFound:
    'Another record has the same unique value. conflict_strategy skip or sync leaves such records out.',
  SchemaIncompatible: 'Alter the table, or the model in describe.yaml.',
  TargetMissing: 'Restore describe, too, or make the table first.',
};

/** An error of a restore of a bundle, with a hint that those who sent the bundle can follow. */
export function inWordsOfBundles(error: unknown): unknown {
  if (!(error instanceof ThawError) || error.hint !== errorTraits[error.code].hint) return error;
  const hint = hints[error.code];
  return hint === undefined
    ? error
    : new ThawError(error.code, error.message, { ...error, hint, cause: error.cause });
}
