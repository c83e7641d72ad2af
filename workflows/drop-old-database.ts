import { proxyActivities, setCurrentDetails, sleep } from '@temporalio/workflow';
import type { DumpActivities, OldDatabase } from '../src/contract/dump-activities.ts';

const { dropOldDatabase: drop } = proxyActivities<DumpActivities>({
  startToCloseTimeout: '10 minutes',
  retry: { initialInterval: '1s', maximumInterval: '10 minutes' },
});

/** Waits until the old database of a swap is no longer kept, and drops it. Cancelled, it keeps the database for good. */
export async function dropOldDatabase(old: OldDatabase): Promise<void> {
  setCurrentDetails(`Drops \`${old.name}\` at ${old.dropAt}`);
  await sleep(Math.max(Date.parse(old.dropAt) - Date.now(), 0), { summary: `until ${old.dropAt}` });
  await drop(old);
}
