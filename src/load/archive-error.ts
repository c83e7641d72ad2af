import { ThawError } from '../contract/thaw-error.ts';
import { isAboutTarget, isSqlState, sqlState } from '../postgres/sqlstate.ts';

/** Errors whose answer is that one archive failed while the others go on. */
export function isAboutArchive(error: unknown): error is ThawError {
  return (
    error instanceof ThawError &&
    !error.retryable &&
    !isAboutTarget(error) &&
    error.code !== 'TargetBusy' &&
    error.code !== 'InputInvalid'
  );
}

/** Errors by which PostgreSQL says that a key is there already, or that two loads wait for each other. */
export function isConflict(error: unknown): boolean {
  return isSqlState(error, sqlState.uniqueViolation, sqlState.exclusionViolation, sqlState.deadlockDetected);
}
