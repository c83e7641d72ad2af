import { proxyActivities } from '@temporalio/workflow';
import type { SnapshotRequest } from '../src/contract/snapshot.ts';
import type { SnapshotRestoreActivities } from '../src/contract/snapshot-restore.ts';
import { longWork, soon } from './work-options.ts';

export type SnapshotWork = ReturnType<typeof snapshotWork>;

/** The work on snapshots; how long a worker may be silent is said by the request. */
export function snapshotWork(request: SnapshotRequest) {
  const long = longWork(request);
  const { checkSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    // A wrong host is told of in time; an object is gone through to its end, which takes longer.
    retry: { ...soon, maximumAttempts: 8 },
  });
  const { stageSnapshot, mergeSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    retry: { ...soon, maximumAttempts: 12 },
  });
  const { finishSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    retry: { initialInterval: '1s', maximumInterval: '1 minute', maximumAttempts: 60 },
  });
  // Of a restore that could not begin, there may be nothing that answers, nor anything to remove.
  const { finishSnapshot: finishUnbegun } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    scheduleToCloseTimeout: '1 minute',
    retry: soon,
  });
  const { recordSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '2 minutes',
    retry: soon,
  });
  const { renewSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    startToCloseTimeout: '30s',
    retry: { initialInterval: '10s', backoffCoefficient: 1 },
  });
  return {
    ...{ checkSnapshot, stageSnapshot, mergeSnapshot, finishSnapshot, finishUnbegun },
    ...{ recordSnapshot, renewSnapshot },
  };
}
