import { ActivityFailure, CancelledFailure, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Activities, LoadInput, LoadOutcome } from '../src/contract/activities.ts';
import { summaryText } from '../src/restore/clip.ts';
import { describeLoad } from '../src/restore/details.ts';

/** Restores one archive: load, done. */
export async function restoreArchive(input: LoadInput): Promise<LoadOutcome> {
  return load(input);
}

/**
 * Restores several small archives in one transaction. When one of them fails, the load itself does
 * them again, each in a transaction of its own, so that the others are not lost.
 */
export async function restorePack(input: LoadInput): Promise<LoadOutcome> {
  return load(input);
}

async function load(input: LoadInput): Promise<LoadOutcome> {
  setCurrentDetails(describeLoad(input, null));
  // A load ends by itself or not at all: a lost worker shows by its heartbeat, an error of the moment
  // is tried again for as long as it takes, and everything else is an outcome.
  const { copyStageMerge } = proxyActivities<Activities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout: input.options.heartbeatSeconds * 1000,
    // Otherwise the workflow ends at once, and the load goes on behind its back and commits.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    summary: summaryText(input.what),
  });
  const outcome = await copyStageMerge(input).catch((error: unknown) => {
    throw isGivenUp(error) ? new CancelledFailure('The load failed while it was being cancelled.') : error;
  });
  setCurrentDetails(describeLoad(input, outcome));
  return outcome;
}

/** An error of the moment that met a load which was being cancelled: Temporal tries nothing again then. */
function isGivenUp(error: unknown): boolean {
  return error instanceof ActivityFailure && error.retryState === 'CANCEL_REQUESTED';
}
