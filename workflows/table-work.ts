import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import { soon } from './work-options.ts';

export const { prepareTable } = proxyActivities<Activities>({
  // Indexes that a dead restore had dropped are built again here, and that may take hours.
  startToCloseTimeout: '24h',
  heartbeatTimeout: '20s',
  // A table that others keep locked ends the wait within some minutes.
  retry: { ...soon, maximumAttempts: 12 },
  // What it took and dropped has to be known, to be let go and built again.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

export const { listArchives } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30s',
  retry: soon,
});

export const { migrateSchema } = proxyActivities<Activities>({
  // It lists all archives.
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '20s',
  retry: soon,
});

export const { finishTable } = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

export const { tallyLedger } = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '5 minutes',
  retry: soon,
});

export const { renewLease } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});
