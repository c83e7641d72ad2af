import { type ErrorCode, errorTraits } from '../contract/error-code.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { sqlState } from '../postgres/sqlstate.ts';

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

/** What a record points at is missing: its own hint speaks of tables. */
const pointsNowhere =
  'Restore the model that the record points at first, or in the same bundle; models leaves a model out.';

/** An error of a restore of a bundle, with a hint that those who sent the bundle can follow. */
export function inWordsOfBundles(error: unknown): unknown {
  if (!(error instanceof ThawError)) return error;
  const { code, message, sqlstate, cause } = error;
  const hint = sqlstate === sqlState.foreignKeyViolation ? pointsNowhere : hints[code];
  if (hint === undefined || !isOfOthers(error)) return error;
  return new ThawError(code, message, { ...error, hint, cause });
}

/** Whether a hint is for those who restore archives: the one of the code, of tables, or one with flags of commands. */
function isOfOthers({ code, hint, sqlstate }: ThawError): boolean {
  return hint === errorTraits[code].hint || sqlstate === sqlState.foreignKeyViolation || hint.includes(' --');
}
