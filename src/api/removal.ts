import type { ControlDatabase } from '../control/control-database.ts';
import { takeExpiredExtracts } from '../control/extract-runs.ts';
import { removeOldRecords } from '../control/old-records.ts';
import { takeExpiredUploads } from '../control/uploads.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Objects of each kind in one transaction, which waits for the store. */
const batch = 20;

/** Old records and lines of one transaction, and transactions in one go: whoever stops waits for its end. */
const old = { step: { records: 100, lines: 5000 }, steps: 100 };

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

/** Removes runs that ended so long ago, with their logs; any number of processes may. @returns how many */
export async function removeOld(control: ControlDatabase, seconds: number): Promise<number> {
  let removed = 0;
  for (let step = 0; step < old.steps; step += 1) {
    const { records, more } = await control.transaction((client) =>
      removeOldRecords(client, seconds, old.step),
    );
    removed += records;
    if (!more) break;
  }
  return removed;
}
