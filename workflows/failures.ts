import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  rootCause,
  TimeoutFailure,
} from '@temporalio/workflow';
import { errorTraits, isErrorCode } from '../src/contract/error-code.ts';
import type { TableError } from '../src/contract/outcome.ts';

/** Turns the failure of an activity or a child into what results and summaries tell of it. */
export function toTableError(failure: unknown): TableError {
  const cause = innermost(failure);
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) {
    const hint = hintOf(cause) ?? errorTraits[cause.type].hint;
    return { code: cause.type, message: cause.message, hint };
  }
  return {
    code: 'DatabaseUnavailable',
    message: rootCause(failure) ?? 'An activity ended without telling why.',
    hint: 'Look at the workflow in the Temporal UI; the worker may be gone.',
  };
}

/** The failure that a workflow ends with, so that Temporal shows it as failed; `details` travel with it. */
export function toFailure(error: TableError, ...details: unknown[]): ApplicationFailure {
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: true,
    details: [{ hint: error.hint }, ...details],
  });
}

/** Where the innermost failure arose; empty where it does not tell. */
export function stackOf(failure: unknown): string {
  const cause = innermost(failure);
  return (cause instanceof Error ? cause.stack : undefined) ?? '';
}

/** What a failed child gave along by {@link toFailure}; null when it gave nothing. */
export function detailOf<T>(failure: unknown): T | null {
  const cause = innermost(failure);
  if (!(cause instanceof ApplicationFailure)) return null;
  return (cause.details?.[1] as T | undefined) ?? null;
}

/** A timeout of all tries has the last one's failure as its cause, which tells more. */
function innermost(failure: unknown): unknown {
  let current = failure;
  while (isWrapper(current) && current.cause) current = current.cause;
  return current;
}

function isWrapper(failure: unknown): failure is Error {
  return (
    failure instanceof ChildWorkflowFailure ||
    failure instanceof ActivityFailure ||
    failure instanceof TimeoutFailure
  );
}

function hintOf(failure: ApplicationFailure): string | null {
  const detail = failure.details?.[0];
  if (typeof detail !== 'object' || detail === null || !('hint' in detail)) return null;
  return typeof detail.hint === 'string' ? detail.hint : null;
}
