import type { RestoreState } from './progress.ts';

/** The six statuses of a run that the API document has. */
export const runStatuses = ['pending', 'queued', 'running', 'completed', 'failed', 'cancelled'] as const;
export type RunStatus = (typeof runStatuses)[number];

/** Whether a run of that status goes on. */
export function isActiveStatus(status: RunStatus): boolean {
  return status === 'pending' || status === 'queued' || status === 'running';
}

/** The documented status of a state. Archives that failed make a run `failed`, with an `error` that says so. */
export function runStatus(state: RestoreState): RunStatus {
  switch (state) {
    case 'queued':
    case 'completed':
    case 'failed':
    case 'cancelled':
      return state;
    case 'completed_with_failures':
      return 'failed';
    default:
      return 'running';
  }
}
