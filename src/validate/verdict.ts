import type { ErrorCode } from '../contract/error-code.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** Something wrong with an archive. */
export interface Fault {
  readonly code: ErrorCode;
  /** Names the archive. */
  readonly message: string;
  readonly hint: string;
}

/** What looking at one archive has come to. */
export interface ArchiveVerdict {
  readonly key: string;
  /** Compressed size. */
  readonly bytes: number;
  /** Records counted; null where they were not. */
  readonly records: number | null;
  /** Empty: the archive is valid. */
  readonly faults: readonly Fault[];
  /** What should be known and makes no archive invalid. */
  readonly warnings: readonly string[];
  /** It has no metadata. */
  readonly lacksMetadata: boolean;
  /** It holds another number of records than its metadata says. */
  readonly isMiscounted: boolean;
}

/** Errors that say something of the archive; any other says that it could not be looked at. */
const aboutArchive: ReadonlySet<ErrorCode> = new Set([
  'ArchiveNotFound',
  'ArchiveFrozen',
  'ArchiveCorrupt',
  'ChecksumMismatch',
  'CountMismatch',
  'ArchiveChanged',
  'MetadataInvalid',
  'SchemaIncompatible',
  'RowRejected',
  'TargetMissing',
]);

/** Gathers what is wrong with an archive, each thing once. */
export class Faults {
  readonly #faults = new Map<string, Fault>();

  /** Takes an error that is about the archive. @throws any other */
  add(error: unknown): void {
    if (!(error instanceof ThawError) || !aboutArchive.has(error.code)) throw error;
    const { code, message, hint } = error;
    this.#faults.set(`${code} ${message}`, { code, message, hint });
  }

  /** Does something, and takes the error that it may throw. */
  async during(action: () => void | Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.add(error);
      return false;
    }
  }

  list(): Fault[] {
    return [...this.#faults.values()];
  }
}
