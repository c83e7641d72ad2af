import type { ArchivePage, VerifiedArchives, VerifyArchivesInput } from '../contract/activities.ts';
import { type ArchiveFailure, maxFailuresKept } from '../contract/outcome.ts';
import { isAboutArchive } from './archive-error.ts';
import { ArchiveReader } from './archive-reader.ts';
import type { LoadProgress } from './load-progress.ts';
import type { ThawContext } from './thaw-context.ts';
import { verifyArchive } from './verify-archive.ts';

/**
 * Reads some archives to their ends, as many at once as there are lanes.
 *
 * @throws ThawError for what is not about one archive
 */
export async function verifyPage(
  thaw: ThawContext,
  { scope, options, keys }: Pick<VerifyArchivesInput, 'scope' | 'options' | 'keys'>,
  { folder, archives }: Pick<ArchivePage, 'folder' | 'archives'>,
  progress: LoadProgress,
  signal: AbortSignal,
): Promise<Omit<VerifiedArchives, 'next'>> {
  const checksums = options.validateChecksums;
  const reader = new ArchiveReader(thaw.store, folder, archives, { checksums, signal });
  const origin = {
    schema: scope.table.schema,
    named: keys !== null,
    sharedFolder: thaw.isShared(scope),
  };
  const failures: ArchiveFailure[] = [];
  let begun = 0;
  const lane = async () => {
    for (let index = begun++; index < archives.length; index = begun++) {
      const key = reader.keyAt(index);
      progress.enter('download', key);
      try {
        await verifyArchive(await reader.open(index), {
          name: reader.nameAt(index),
          origin,
          checksums,
          onRead: (bytes) => progress.move(bytes, 0),
        });
      } catch (error) {
        if (!isAboutArchive(error)) throw error;
        const { code, message, hint, stage = null } = error;
        failures.push({ archive: key, code, message, hint, stage, rows: 0 });
      }
    }
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
  failures.sort((a, b) => reader.indexOf(a.archive) - reader.indexOf(b.archive));
  return {
    archives: archives.length,
    failed: failures.length,
    failures: failures.slice(0, maxFailuresKept),
  };
}
