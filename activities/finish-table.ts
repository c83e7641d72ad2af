import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { readTarget } from '../src/postgres/catalog.ts';
import { analyzeTable } from '../src/postgres/indexes.ts';
import { type BuildProgress, rebuildIndexes } from '../src/postgres/rebuild-indexes.ts';
import { advanceSequences } from '../src/postgres/sequences.ts';
import { loadPrefix, releaseTarget } from '../src/postgres/targets.ts';
import { withHeartbeats } from './heartbeat.ts';
import { indexBuilders } from './index-builders.ts';

/** Rebuilds indexes, moves sequences, runs ANALYZE, lets the target go. Gives notices. */
export function finishTable(thaw: ThawContext): Activities['finishTable'] {
  return async ({ scope, target: held, changed }) => {
    const { cancellationSignal } = Context.current();
    const { intoSchema, intoTable } = scope.table;
    const prefix = loadPrefix(scope.restoreId, held.oid, 0);
    const withBuilder = indexBuilders(thaw, scope, held.oid, cancellationSignal);
    let indexes: BuildProgress | null = null;
    const onProgress = (progress: BuildProgress) => {
      indexes = progress;
    };
    return withHeartbeats(
      () => (indexes === null ? 'finishing' : { stage: 'finishing', indexes }),
      () =>
        // Under the name of a load, so that the target counts as held for as long as this takes.
        thaw.withConnection(scope, `${prefix}finish`, cancellationSignal, async (client) => {
          const target = await readTarget(client, intoSchema, intoTable);
          const notices = await rebuildIndexes(client, target.oid, { withBuilder, onProgress });
          if (changed) {
            notices.push(...(await advanceSequences(client, target)));
            notices.push(...(await analyzeTable(client, target)));
          }
          await releaseTarget(client, scope.restoreId, held);
          return notices;
        }),
    );
  };
}
