import { isCancellation, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { BackupActivities, BackupOutcome, BackupRequest } from '../src/contract/backup-request.ts';
import { toFailure, toTableError } from './failures.ts';

/** Dumps the database of a service into its store; each attempt is a dump of its own, or none. */
export async function backupDump(request: BackupRequest): Promise<BackupOutcome> {
  const { backUpDatabase } = proxyActivities<BackupActivities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout: (request.heartbeatSeconds ?? 20) * 1000,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: { initialInterval: '1s', maximumInterval: '1 minute', maximumAttempts: 6 },
  });
  setCurrentDetails(`Dumps \`${request.database}\` of ${request.server}`);
  try {
    const outcome = await backUpDatabase(request);
    setCurrentDetails(`Dumped \`${request.database}\` of ${request.server} into \`${outcome.key}\``);
    return outcome;
  } catch (error) {
    throw isCancellation(error) ? error : toFailure(toTableError(error));
  }
}
