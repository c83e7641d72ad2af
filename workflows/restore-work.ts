import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import { soon } from './work-options.ts';

export const { planRestore } = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  // It writes that the restore is running: no record may be written before it has ended.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  // A wrong host ends instead of hanging.
  scheduleToCloseTimeout: '2 minutes',
  heartbeatTimeout: '20s',
  retry: soon,
});

export const { createTables } = proxyActivities<Activities>({
  // The newest schema of a table is found by a listing of all its archives.
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '20s',
  retry: { ...soon, maximumAttempts: 12 },
});

export const { recordRestore } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** For a database that may not be there at all. */
export const { recordRestore: recordBriefly } = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '5s' },
});
