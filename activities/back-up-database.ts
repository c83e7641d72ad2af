import { Context } from '@temporalio/activity';
import type { BackupActivities } from '../src/contract/backup-request.ts';
import { backUp } from '../src/dump/backup/back-up.ts';
import { dumpsOf } from '../src/dump/choose/dump-store.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { openStore } from '../src/store/open-store.ts';
import { bytesInto, serviceOf } from './dump-tools.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Has pg_dump write into the store of the service. An attempt leaves no half of a dump behind. */
export function backUpDatabase(thaw: ThawContext): BackupActivities['backUpDatabase'] {
  return async (request) => {
    const service = serviceOf(thaw.config, request);
    const place = dumpsOf(service);
    const { cancellationSignal: signal } = Context.current();
    const progress = new LoadProgress();
    // pg_dump may take its time for the first byte of a large table.
    progress.enter('merge', request.database);
    const onBytes = bytesInto(progress);
    const store = openStore(place, thaw.env);
    try {
      return await withHeartbeats(
        () => (progress.alive ? progress.snapshot() : null),
        () => backUp({ request, service, store, prefix: place.prefix, env: thaw.env, signal, onBytes }),
      );
    } finally {
      store.close();
    }
  };
}
