import type { ErrorCode } from '../contract/error-code.ts';

/** What says that a dump itself is not good, so that the one before it may be. */
const aboutDump: ReadonlySet<ErrorCode> = new Set([
  'ArchiveNotFound',
  'ArchiveFrozen',
  'ArchiveCorrupt',
  'ArchiveChanged',
  'ChecksumMismatch',
  'CountMismatch',
  'DumpRejected',
]);

/** What is wrong with the bytes of a dump themselves, and stays wrong. */
const damage: ReadonlySet<ErrorCode> = new Set(['ArchiveCorrupt', 'ChecksumMismatch', 'CountMismatch']);

/** Tells whether an error is about the dump, and not about its way or its target. */
export function isAboutDump(code: ErrorCode): boolean {
  return aboutDump.has(code);
}

/** Tells whether an error of reading a dump means that it will never be good. */
export function isDamage(code: ErrorCode): boolean {
  return damage.has(code);
}
