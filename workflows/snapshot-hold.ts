import { CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { SnapshotRequest } from '../src/contract/snapshot.ts';
import type { SnapshotPlan } from '../src/contract/snapshot-restore.ts';
import type { SnapshotWork } from './snapshot-work.ts';

/** Shows in the database that the tables of a restore are held: by one activity that is tried on and on. */
export class SnapshotHold {
  #keeping: CancellationScope | null = null;

  keep(request: SnapshotRequest, { held }: SnapshotPlan, work: SnapshotWork): void {
    // Who cancels the restore does not end it: what was begun has to be over before.
    const keeping = new CancellationScope({
      cancellable: true,
      parent: new CancellationScope({ cancellable: false }),
    });
    this.#keeping = keeping;
    keeping
      .run(() => work.renewSnapshot({ request, held }))
      .catch((error: unknown) => {
        if (isCancellation(error)) return;
        // Whether they are still held is seen when the rows are committed.
        log.info('The lease of the tables could not be renewed', { error: String(error) });
      });
  }

  /** Ends that, where it was begun. */
  letGo(): void {
    this.#keeping?.cancel();
  }
}
