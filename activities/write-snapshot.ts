import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { endSessions } from '../src/postgres/targets.ts';
import {
  findManifest,
  removeUnfinished,
  type SnapshotPlace,
  summaryOf,
} from '../src/snapshot/container/stored-snapshots.ts';
import { takeSnapshot } from '../src/snapshot/write/take-snapshot.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Takes a snapshot into the store; an attempt begins anew, with what one before it left taken away. */
export function writeSnapshot(thaw: ThawContext): Activities['writeSnapshot'] {
  return async (request) => {
    const { cancellationSignal: signal, info } = Context.current();
    const place: SnapshotPlace = { store: thaw.store, prefix: thaw.config.store.prefix };
    const sessions = `thaw/${request.id}/snapshot/`;
    const progress = new LoadProgress();
    return withHeartbeats(
      () => progress.snapshot(),
      async () => {
        const before = await findManifest(place, request.id);
        // What an attempt wrote whose end was not heard of is whole.
        if (before !== null && info.attempt > 1) return summaryOf(before);
        if (before !== null) throw taken(request.id);
        await thaw.withConnection(request, `${sessions}${info.attempt}/begin`, signal, (client) =>
          endSessions(client, sessions),
        );
        await removeUnfinished(place, request.id);
        const manifest = await takeSnapshot({
          ...{ request, place, progress, signal },
          withConnection: (name, until, action) =>
            thaw.withConnection(request, `${sessions}${info.attempt}/${name}`, until, action),
        });
        return summaryOf(manifest);
      },
    );
  };
}

function taken(id: string): ThawError {
  return new ThawError('InputInvalid', `There is a snapshot ${id} already.`, {
    object: id,
    hint: 'Take it under another id.',
  });
}
