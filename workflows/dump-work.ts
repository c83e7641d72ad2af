import { proxyActivities } from '@temporalio/workflow';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { isRepeatable } from '../src/restore/dump-modes.ts';

export type DumpWork = ReturnType<typeof dumpWork>;

/** The work on dumps; how long a worker may be silent is said by the request. */
export function dumpWork(request: DumpRequest) {
  const { heartbeatSeconds = 20 } = request;
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const long = {
    startToCloseTimeout: '24h',
    heartbeatTimeout: heartbeatSeconds * 1000,
    // What an attempt has begun has to be over before anything else is done about it.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
  const { chooseDump } = proxyActivities<DumpActivities>({
    ...long,
    // A wrong host is told of in time.
    scheduleToCloseTimeout: '5 minutes',
    retry,
  });
  const { recordDump, nameHolder } = proxyActivities<DumpActivities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '2 minutes',
    retry,
  });
  const { proveDump, surveyDatabase, verifyDump } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 12 },
  });
  const { loadDump } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: isRepeatable(request) ? 12 : 1 },
  });
  const { swapDatabase, discardLoad, dropOldDatabase } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 30 },
  });
  return {
    ...{ chooseDump, nameHolder, recordDump, proveDump, surveyDatabase, loadDump, verifyDump },
    ...{ swapDatabase, discardLoad, dropOldDatabase },
  };
}
