import type { ArchiveFailure } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { isAboutArchive } from './archive-error.ts';
import type { ArchiveReader } from './archive-reader.ts';

/**
 * What results and ledger say of an archive that was not restored.
 *
 * @param index place in the load
 * @throws ThawError of the store, where its metadata cannot be had for the moment
 */
export async function archiveFailure(
  reader: ArchiveReader,
  index: number,
  error: ThawError,
): Promise<ArchiveFailure> {
  const key = reader.keyAt(index);
  return {
    archive: key,
    code: error.code,
    message: naming(key, error),
    hint: error.hint,
    stage: error.stage ?? null,
    rows: await recordsOf(reader, index),
  };
}

/** The message of an error; PostgreSQL's knows the table only, and is about this archive. */
function naming(key: string, { object, message }: ThawError): string {
  return object !== undefined && isBeside(object, key) ? message : `${key}: ${message}`;
}

/** Records of an archive that failed, by its metadata; 0 where that cannot be had. */
async function recordsOf(reader: ArchiveReader, index: number): Promise<number> {
  try {
    return (await reader.metadata(index))?.recordCount ?? 0;
  } catch (error) {
    if (error instanceof ThawError && isAboutArchive(error)) return 0;
    throw error;
  }
}

/** Whether an object of the store is an archive or what lies beside it, and no table of the database. */
function isBeside(object: string, key: string): boolean {
  return object.startsWith(key.slice(0, key.lastIndexOf('/') + 1)) && key.includes('/');
}
