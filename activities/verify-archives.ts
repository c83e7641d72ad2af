import { Context } from '@temporalio/activity';
import type {
  Activities,
  ArchivePage,
  VerifiedArchives,
  VerifyArchivesInput,
} from '../src/contract/activities.ts';
import { type ArchiveFailure, maxFailuresKept } from '../src/contract/outcome.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { isAboutArchive } from '../src/load/archive-error.ts';
import { ArchiveReader } from '../src/load/archive-reader.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { verifyArchive } from '../src/load/verify-archive.ts';
import { readTarget } from '../src/postgres/catalog.ts';
import { withHeartbeats } from './heartbeat.ts';
import { pendingPage } from './list-archives.ts';

/** Reads a page of archives to their ends, as many at once as there are lanes, and loads nothing. */
export function verifyArchives(thaw: ThawContext): Activities['verifyArchives'] {
  return async (input) => {
    const { cancellationSignal: signal } = Context.current();
    const progress = new LoadProgress();
    return withHeartbeats(
      () => (progress.alive ? progress.snapshot() : null),
      async () => {
        const target = { oid: await oidOf(thaw, input, signal), epoch: 0, ordered: true };
        const page = await pendingPage(thaw, { ...input, target }, signal);
        return verifyPage(thaw, input, page, progress, signal);
      },
    );
  };
}

/** Of the target, for what was restored into it earlier; 0 where it is not there, which its own restore tells. */
async function oidOf(
  thaw: ThawContext,
  { scope }: VerifyArchivesInput,
  signal: AbortSignal,
): Promise<number> {
  const { intoSchema, intoTable } = scope.table;
  try {
    const { rootOid } = await thaw.withConnection(scope, `thaw/${scope.restoreId}/verify`, signal, (client) =>
      readTarget(client, intoSchema, intoTable),
    );
    return rootOid;
  } catch (error) {
    if (error instanceof ThawError && error.code === 'TargetMissing') return 0;
    throw error;
  }
}

async function verifyPage(
  thaw: ThawContext,
  { scope, options, keys }: VerifyArchivesInput,
  { folder, archives, next }: ArchivePage,
  progress: LoadProgress,
  signal: AbortSignal,
): Promise<VerifiedArchives> {
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
    next,
  };
}
