import type { WorkflowInterceptors } from '@temporalio/workflow';
import { activitySummary } from '../src/restore/activity-summary.ts';
import { summaryText } from '../src/restore/clip.ts';

/** Has the Temporal UI say of each activity what it does, unless its workflow says it better. */
export function interceptors(): WorkflowInterceptors {
  return {
    outbound: [
      {
        scheduleActivity(input, next) {
          const { activityType, args, options } = input;
          const told = options.summary ?? activitySummary(activityType, args);
          if (told === undefined) return next(input);
          return next({ ...input, options: { ...options, summary: summaryText(told) } });
        },
      },
    ],
  };
}
