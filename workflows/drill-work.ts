import { proxyActivities } from '@temporalio/workflow';
import type { DrillActivities } from '../src/contract/drill.ts';
import { soon } from './work-options.ts';

export const { planDrill, recordDrill } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  retry: soon,
});

export const { dropScratch } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '10 minutes',
  scheduleToCloseTimeout: '1 hour',
  retry: soon,
});

// A receiver that is down for a while is told all the same.
export const { notifyDrill } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '15 minutes',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '2 minutes' },
});
