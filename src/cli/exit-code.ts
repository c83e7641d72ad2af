import { type ErrorCode, errorTraits } from '../contract/error-code.ts';
import type { RestoreOutcome } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** What the exit codes of `thaw restore` say. */
export const exitCodes = {
  /** All restored, or nothing to do, or accepted with `--detach`. */
  done: 0,
  /** It could not start, or failed. */
  failed: 1,
  /** Some archives or tables failed. */
  partial: 2,
  /** Nothing was loaded, because archives or schema did not pass validation. */
  invalid: 3,
  /** Interrupted or cancelled. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What says that an archive, and not the way to it, is to blame. */
const validationCodes: ReadonlySet<ErrorCode> = new Set([
  'ArchiveNotFound',
  'ArchiveChanged',
  'ArchiveCorrupt',
  'ChecksumMismatch',
  'CountMismatch',
  'MetadataInvalid',
  'SchemaIncompatible',
]);

/** Whether an error says that what is restored, and not the way to it, is to blame. */
export function isAboutSource(code: ErrorCode): boolean {
  return validationCodes.has(code);
}

/** How `thaw restore` ends after a restore that ended so. */
export function exitCodeOf(outcome: RestoreOutcome): ExitCode {
  if (outcome.state === 'cancelled') return exitCodes.interrupted;
  if (outcome.state === 'completed') return exitCodes.done;
  if (failedValidation(outcome)) return exitCodes.invalid;
  return outcome.state === 'failed' ? exitCodes.failed : exitCodes.partial;
}

/** How a command ends that threw this. */
export function exitCodeOfError(error: unknown): number {
  return error instanceof ThawError ? errorTraits[error.code].exit : exitCodes.failed;
}

/** Tells whether nothing was loaded, and each reason for it is one of validation. */
function failedValidation({ tally, tables, error }: RestoreOutcome): boolean {
  if (tally.archives.restored + tally.archives.earlier > 0) return false;
  const codes = [
    ...tables.flatMap((table) => table.failures.map((failure) => failure.code)),
    ...tables.flatMap((table) => (table.error === null ? [] : [table.error.code])),
    ...(error === null ? [] : [error.code]),
  ];
  return codes.length > 0 && codes.every((code) => validationCodes.has(code));
}
