import type { SnapshotOutcome, SnapshotRequest } from '../src/contract/snapshot.ts';
import { carryOut } from './carry-out.ts';
import { SnapshotRun } from './snapshot-run.ts';

/**
 * Brings tables back to a snapshot, all of them or none.
 *
 *     check ──> snapshot ──> stage ──> merge ──> finish
 *
 * check     entered at the start; opens the snapshot, sees that it can be restored, and takes the tables. One that was
 *           merged already, by a run that Temporal has lost, goes to finish.
 * snapshot  takes a snapshot of what is there, by which the restore can be undone.
 * stage     copies the rows into tables of their own. Nothing of the tables was touched up to its end.
 * merge     one transaction: old state or new state. It leads back to stage where PostgreSQL has crashed meanwhile.
 * finish    entered by an error or a cancel too: removes the stage, looks after foreign keys, lets the tables go, and
 *           finds out whether the merge was committed, whatever was heard of it.
 *
 * A pause takes hold before the next step; with `--now` the step under way is broken off, and begun again at resume. The
 * tables stay held, and however long it takes, its history stays as short as it is.
 */
export async function restoreSnapshot(request: SnapshotRequest): Promise<SnapshotOutcome> {
  const restore = new SnapshotRun(request);
  restore.listen();
  await carryOut(restore, async () => {
    // See that it can be done, and keep others out.
    await restore.check();
    // Keep what is there.
    await restore.takeSnapshot();
    // Have the rows beside their tables, and bring them in.
    await restore.stageAndMerge();
  });
  return restore.end();
}
