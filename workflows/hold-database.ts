import { CancellationScope, condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { releaseSignal } from '../src/contract/messages.ts';

/**
 * Holds a database for a restore of a dump: its id is the lock, which anybody sees. It ends when the restore
 * lets it go, or with the restore, whatever ends that. Whoever cancels it alone would leave the restore without
 * its lock, so that does nothing.
 */
export async function holdDatabase(restoreId: string): Promise<void> {
  let released = false;
  setHandler(releaseSignal, () => {
    released = true;
  });
  setCurrentDetails(`Held by restore \`${restoreId}\``);
  await CancellationScope.nonCancellable(() => condition(() => released));
}
