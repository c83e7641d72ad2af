import type { ControlDatabase } from '../control/control-database.ts';
import { takeExpiredExtracts } from '../control/extract-runs.ts';
import { takeExpiredUploads } from '../control/uploads.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Objects of each kind in one transaction, which waits for the store. */
const batch = 20;

/** Removes the bundles whose time is over; any number of processes may. @returns how many */
export async function removeExpired(control: ControlDatabase, store: ObjectStore): Promise<number> {
  for (let removed = 0; ; ) {
    const keys = await control.transaction(async (client) => {
      const uploads = await takeExpiredUploads(client, batch);
      const extracts = await takeExpiredExtracts(client, batch);
      // Within the transaction: what the store does not remove is not marked.
      for (const key of [...uploads, ...extracts]) await store.remove(key);
      return [...uploads, ...extracts];
    });
    removed += keys.length;
    if (keys.length < batch) return removed;
  }
}
