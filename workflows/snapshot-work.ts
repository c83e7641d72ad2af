import { proxyActivities } from '@temporalio/workflow';
import type { SnapshotRequest } from '../src/contract/snapshot.ts';
import type { SnapshotRestoreActivities } from '../src/contract/snapshot-restore.ts';

export type SnapshotWork = ReturnType<typeof snapshotWork>;

/** The work on snapshots; how long a worker may be silent is said by the request. */
export function snapshotWork({ heartbeatSeconds = 20 }: SnapshotRequest) {
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const long = {
    startToCloseTimeout: '24h',
    heartbeatTimeout: heartbeatSeconds * 1000,
    // What an attempt has begun has to be over before anything else is done about it.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
  const { checkSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    // A wrong host is told of in time; an object is gone through to its end, which takes longer.
    retry: { ...retry, maximumAttempts: 8 },
  });
  const { stageSnapshot, mergeSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 12 },
  });
  const { finishSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    retry: { initialInterval: '1s', maximumInterval: '1 minute', maximumAttempts: 60 },
  });
  // Of a restore that could not begin, there may be nothing that answers, nor anything to remove.
  const { finishSnapshot: finishUnbegun } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    scheduleToCloseTimeout: '1 minute',
    retry,
  });
  const { recordSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '2 minutes',
    retry,
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
