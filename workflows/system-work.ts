import { proxyActivities } from '@temporalio/workflow';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { SystemActivities } from '../src/contract/system-activities.ts';
import type { SystemRequest } from '../src/contract/system-request.ts';
import { longWork, soon } from './work-options.ts';

export type SystemWork = ReturnType<typeof systemWork>;

/** The work on a system besides that on dumps, which children do. */
export function systemWork(request: SystemRequest) {
  // How long each may take is said in `system.yaml`.
  const long = { ...longWork(request), startToCloseTimeout: '30d' } as const;
  const { planSystem } = proxyActivities<SystemActivities>({
    ...long,
    scheduleToCloseTimeout: '10 minutes',
    retry: soon,
  });
  const { runHook } = proxyActivities<SystemActivities>({ ...long, retry: { ...soon, maximumAttempts: 3 } });
  const { undoSwap, dropOldDatabase } = proxyActivities<SystemActivities & DumpActivities>({
    ...long,
    retry: { ...soon, maximumAttempts: 30 },
  });
  const { notifySystem } = proxyActivities<SystemActivities>({
    startToCloseTimeout: '30s',
    // A restore does not end before its last messages were sent or given up.
    scheduleToCloseTimeout: '1 minute',
    retry: soon,
  });
  return { planSystem, runHook, undoSwap, dropOldDatabase, notifySystem };
}
