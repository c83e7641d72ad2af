import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { removeUnfinished } from '../src/snapshot/container/stored-snapshots.ts';

/** Takes away what was written of a snapshot that came to no good end. */
export function discardSnapshot(thaw: ThawContext): Activities['discardSnapshot'] {
  return async (request) => {
    thaw.checkFingerprint(request);
    await removeUnfinished({ store: thaw.store, prefix: thaw.config.store.prefix }, request.id);
  };
}
