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

/** Tells whether an error is about the dump, and not about its way or its target. */
export function isAboutDump(code: ErrorCode): boolean {
  return aboutDump.has(code);
}
