import {
  isGrpcServiceError,
  ServiceError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ThawError } from '../contract/thaw-error.ts';

/** The statuses of gRPC that say something of Temporal itself. https://grpc.io/docs/guides/status-codes/ */
const grpcStatus = {
  cancelled: 1,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const unavailable: ReadonlySet<number> = new Set([
  grpcStatus.cancelled,
  grpcStatus.deadlineExceeded,
  grpcStatus.permissionDenied,
  grpcStatus.resourceExhausted,
  grpcStatus.failedPrecondition,
  grpcStatus.unavailable,
  grpcStatus.unauthenticated,
]);

/** Whether Temporal could not be asked, or no worker answered in time. */
export function isTemporalUnavailable(error: unknown): boolean {
  const status = statusOf(error);
  return status !== null && unavailable.has(status);
}

/** What an error of Temporal's client means for whoever asked; null for one that is none. */
export function temporalError(error: unknown): ThawError | null {
  const status = statusOf(error);
  if (status === null) return null;
  const { says, hint } = verdictOf(status);
  return new ThawError('TemporalUnavailable', says, { hint, cause: error });
}

/** Its status of gRPC; null for an error that is not of Temporal's client. */
function statusOf(error: unknown): number | null {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return grpcStatus.deadlineExceeded;
  const cause = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(cause) ? cause.code : null;
}

function verdictOf(status: number): { readonly says: string; readonly hint: string | undefined } {
  switch (status) {
    // Temporal took the question, and no worker came to answer it.
    case grpcStatus.cancelled:
    case grpcStatus.deadlineExceeded:
    case grpcStatus.failedPrecondition:
      return {
        says: 'no worker answers for the restore',
        hint: 'Start `thaw worker` with its configuration and task queue, or give its `thaw restore` again; then ask once more.',
      };
    case grpcStatus.permissionDenied:
    case grpcStatus.unauthenticated:
      return {
        says: 'the Temporal server does not let Thaw in',
        hint: 'Check TEMPORAL_API_KEY, the TEMPORAL_TLS_… variables and TEMPORAL_NAMESPACE.',
      };
    case grpcStatus.notFound:
      return {
        says: 'the Temporal server does not have the namespace',
        hint: 'Check --namespace or TEMPORAL_NAMESPACE, or have the namespace made.',
      };
    default:
      return { says: 'the Temporal server does not answer', hint: undefined };
  }
}
