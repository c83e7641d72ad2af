import { Context } from '@temporalio/activity';
import type { Activities, VerifyArchivesInput } from '../src/contract/activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { verifyPage } from '../src/load/verify-page.ts';
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
        return { ...(await verifyPage(thaw, input, page, progress, signal)), next: page.next };
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
