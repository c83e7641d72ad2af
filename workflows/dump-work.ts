import { proxyActivities } from '@temporalio/workflow';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { isRepeatable } from '../src/restore/dump-modes.ts';
import { longWork, soon } from './work-options.ts';

export type DumpWork = ReturnType<typeof dumpWork>;

/** The work on dumps; how long a worker may be silent is said by the request. */
export function dumpWork(request: DumpRequest) {
  const long = longWork(request);
  const { chooseDump } = proxyActivities<DumpActivities>({
    ...long,
    // A wrong host is told of in time.
    scheduleToCloseTimeout: '5 minutes',
    retry: soon,
  });
  const { recordDump, nameHolder } = proxyActivities<DumpActivities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '2 minutes',
    retry: soon,
  });
  const { proveDump, surveyDatabase, verifyDump } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...soon, maximumAttempts: 12 },
  });
  const { loadDump } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...soon, maximumAttempts: isRepeatable(request) ? 12 : 1 },
  });
  const { swapDatabase, discardLoad, dropOldDatabase } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...soon, maximumAttempts: 30 },
  });
  return {
    ...{ chooseDump, nameHolder, recordDump, proveDump, surveyDatabase, loadDump, verifyDump },
    ...{ swapDatabase, discardLoad, dropOldDatabase },
  };
}
