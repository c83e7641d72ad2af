import { CancellationScope, isCancellation, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { CreateSnapshotRequest, SnapshotActivities, SnapshotSummary } from '../src/contract/snapshot.ts';
import { toFailure, toTableError } from './failures.ts';

const { discardSnapshot } = proxyActivities<SnapshotActivities>({
  startToCloseTimeout: '10 minutes',
  scheduleToCloseTimeout: '30 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** Takes a snapshot of tables; of one that fails or is cancelled nothing is left. */
export async function createSnapshot(request: CreateSnapshotRequest): Promise<SnapshotSummary> {
  const { writeSnapshot } = proxyActivities<SnapshotActivities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout: (request.heartbeatSeconds ?? 20) * 1000,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: { initialInterval: '1s', maximumInterval: '1 minute', maximumAttempts: 6 },
  });
  const what = `snapshot \`${request.id}\` of \`${request.database}\``;
  setCurrentDetails(`Takes ${what}`);
  try {
    const summary = await writeSnapshot(request);
    setCurrentDetails(`Took ${what}: ${summary.totalRows} rows of ${summary.tables.length} tables`);
    return summary;
  } catch (error) {
    await CancellationScope.nonCancellable(() => discardSnapshot(request));
    throw isCancellation(error) ? error : toFailure(toTableError(error));
  }
}
