import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { expiredSnapshots, removeSnapshot } from '../src/snapshot/container/stored-snapshots.ts';
import { splitUnused } from '../src/snapshot/container/unused-snapshots.ts';

/**
 * Deletes what a schedule took earlier, and was to keep until now or before, but for what a restore needs, and for the
 * one it has just taken, however short it is to be kept: there is always one.
 */
export function expireSnapshots(thaw: ThawContext): Activities['expireSnapshots'] {
  return async (request) => {
    thaw.checkFingerprint(request);
    const place = { store: thaw.store, prefix: thaw.config.store.prefix };
    const { snapshots } = await expiredSnapshots(place, Date.now());
    const own = snapshots.filter(
      ({ id, type, name, database }) =>
        type === 'automated' && name === request.name && database === request.database && id !== request.id,
    );
    const { unused, kept } = await splitUnused(
      thaw,
      own.map(({ id }) => id),
    );
    for (const id of unused) await removeSnapshot(place, id);
    return { removed: unused, kept };
  };
}
