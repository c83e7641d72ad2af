import { ApplicationFailure, Context } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { ThawError } from '../src/contract/thaw-error.ts';
import { isAboutTarget } from '../src/postgres/sqlstate.ts';

/**
 * What every activity throws passes here once: errors of the closed set become failures whose type is
 * the code, and an activity that was told to stop says so, whatever the stopping made it throw.
 *
 * Without the latter a paused or cancelled activity would be reported as failed, since a connection that
 * is cut to stop a query throws an error of its own.
 * https://github.com/temporalio/sdk-typescript/pull/2416
 */
export const failureInterceptor: ActivityInboundCallsInterceptor = {
  async execute(input, next) {
    try {
      return await next(input);
    } catch (error) {
      const { cancellationSignal } = Context.current();
      if (cancellationSignal.aborted) throw cancellationSignal.reason;
      throw toFailure(error);
    }
  },
};

function toFailure(error: unknown): unknown {
  // It says itself how it is to be taken.
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof ThawError) {
    return ApplicationFailure.create({
      type: error.code,
      message: error.message,
      // A full disk can be tried again once there is space, but each try would fill it again.
      nonRetryable: !error.retryable || isAboutTarget(error),
      details: [{ hint: error.hint, object: error.object, stage: error.stage, sqlstate: error.sqlstate }],
    });
  }
  // A bug does not go away by trying again, and a failure that ends shows it at once.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) {
    return ApplicationFailure.create({ type: error.name, message: scrub(error.message), nonRetryable: true });
  }
  if (error instanceof Error) {
    return ApplicationFailure.create({ type: error.name, message: scrub(error.message) });
  }
  return error;
}

/** Takes credentials out of connection strings that a library may have put into its message. */
function scrub(message: string): string {
  return message.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1');
}
