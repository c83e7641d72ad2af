import { CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import type { ExtractRequest, ExtractResult, ExtractStanding } from '../src/contract/extract-request.ts';
import { toFailure, toTableError } from './failures.ts';

const { writeExtract } = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '30s', maximumAttempts: 12 },
});
const { recordExtract } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** Writes tables as a bundle: tells that it has begun, writes, tells how it ended. */
export async function extractBundle(request: ExtractRequest): Promise<ExtractResult> {
  const { runId, keep } = request;
  const record = (standing: ExtractStanding) => recordExtract({ runId, standing });
  try {
    await record({ status: 'running' });
    const result = await writeExtract(request);
    await record({ status: 'completed', result, keep });
    return result;
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => record({ status: 'cancelled' }));
      throw error;
    }
    const told = toTableError(error);
    await CancellationScope.nonCancellable(() => record({ status: 'failed', error: told }));
    throw toFailure(told);
  }
}
