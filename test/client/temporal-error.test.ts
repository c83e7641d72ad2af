import { ServiceError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { isTemporalUnavailable, temporalError } from '../../src/client/temporal-error.ts';

/** What the gRPC client throws. */
function rpcError(code: number): ServiceError {
  const cause = Object.assign(new Error('rpc'), { code, details: 'rpc', metadata: {} });
  return new ServiceError('Failed to query Workflow', { cause });
}

test.each([
  ['deadline exceeded', rpcError(4), 'no worker answers for the restore', /^Start `thaw worker`/],
  [
    'an update without an answer',
    new WorkflowUpdateRPCTimeoutOrCancelledError('late'),
    'no worker',
    /thaw worker/,
  ],
  ['unavailable', rpcError(14), 'the Temporal server does not answer', /^Check TEMPORAL_ADDRESS/],
  ['not authenticated', rpcError(16), 'does not let Thaw in', /TEMPORAL_API_KEY/],
  ['no namespace', rpcError(5), 'does not have the namespace', /TEMPORAL_NAMESPACE/],
])('%s is told with what to do next', (_, error, says, hint) => {
  expect(temporalError(error)).toMatchObject({
    code: 'TemporalUnavailable',
    message: expect.stringContaining(says),
    hint: expect.stringMatching(hint),
  });
});

test('what is no error of Temporal stays what it is', () => {
  expect(temporalError(new TypeError('a bug'))).toBeNull();
  expect(isTemporalUnavailable(new TypeError('a bug'))).toBe(false);
  expect(isTemporalUnavailable(rpcError(3))).toBe(false);
  expect(isTemporalUnavailable(rpcError(14))).toBe(true);
});
