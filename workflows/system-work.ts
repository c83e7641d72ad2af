import { proxyActivities } from '@temporalio/workflow';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { SystemActivities } from '../src/contract/system-activities.ts';
import type { SystemRequest } from '../src/contract/system-request.ts';

export type SystemWork = ReturnType<typeof systemWork>;

/** The work on a system besides that on dumps, which children do. */
export function systemWork({ heartbeatSeconds = 20 }: SystemRequest) {
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const long = {
    // How long each may take is said in `system.yaml`.
    startToCloseTimeout: '30d',
    heartbeatTimeout: heartbeatSeconds * 1000,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
  const { planSystem } = proxyActivities<SystemActivities>({
    ...long,
    scheduleToCloseTimeout: '10 minutes',
    retry,
  });
  const { runHook } = proxyActivities<SystemActivities>({ ...long, retry: { ...retry, maximumAttempts: 3 } });
  const { undoSwap, dropOldDatabase } = proxyActivities<SystemActivities & DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 30 },
  });
  const { notifySystem } = proxyActivities<SystemActivities>({
    startToCloseTimeout: '30s',
    // A restore does not end before its last messages were sent or given up.
    scheduleToCloseTimeout: '1 minute',
    retry,
  });
  return { planSystem, runHook, undoSwap, dropOldDatabase, notifySystem };
}
