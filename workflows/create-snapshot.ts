import {
  CancellationScope,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { timedId } from '../src/contract/names.ts';
import type {
  CreateSnapshotRequest,
  SnapshotActivities,
  SnapshotSummary,
  SnapshotUser,
} from '../src/contract/snapshot.ts';
import { clip } from '../src/restore/clip.ts';
import { formatCounted } from '../src/restore/format.ts';
import { toFailure, toTableError } from './failures.ts';

const { discardSnapshot, expireSnapshots } = proxyActivities<SnapshotActivities>({
  startToCloseTimeout: '10 minutes',
  scheduleToCloseTimeout: '30 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/**
 * Takes a snapshot of tables; of one that fails or is cancelled nothing is left. One that a schedule starts deletes
 * afterwards those of the schedule that have expired.
 */
export async function createSnapshot(asked: CreateSnapshotRequest): Promise<SnapshotSummary> {
  const isScheduled = asked.id === '';
  const request = isScheduled ? { ...asked, id: idOfRun() } : asked;
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
    const took = `Took ${what}: ${formatCounted(summary.totalRows, 'row')} of ${formatCounted(summary.tables.length, 'table')}`;
    setCurrentDetails(took);
    if (isScheduled) {
      const { kept } = await expireSnapshots(request);
      setCurrentDetails([took, ...kept.map(keptLine)].join('\n\n'));
    }
    return summary;
  } catch (error) {
    // One that is whole stays.
    await CancellationScope.nonCancellable(() => discardSnapshot(request));
    setCurrentDetails(
      isCancellation(error)
        ? `**cancelled** ${what}`
        : `**failed** ${what}: ${clip(toTableError(error).message, 500)}`,
    );
    throw isCancellation(error) ? error : toFailure(toTableError(error));
  }
}

function keptLine({ snapshotId, restoreId }: SnapshotUser): string {
  return `\`${snapshotId}\` has expired, and is kept while restore \`${restoreId}\` needs it`;
}

function idOfRun(): string {
  const { startTime, firstExecutionRunId } = workflowInfo();
  return timedId(startTime, firstExecutionRunId.slice(0, 6));
}
