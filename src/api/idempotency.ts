import { createHash } from 'node:crypto';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';

const printable = /^[\x20-\x7e]{1,255}$/;

/**
 * The id of the restore that a key stands for. It follows from the key alone, so that every API process
 * derives the same one and Temporal refuses the second start, whoever comes second.
 *
 * @throws ApiError `VALIDATION_ERROR` for an empty key, one over 255 characters, or other than printable ASCII
 */
export function restoreIdOfKey(key: string, caller: Caller): string {
  if (!printable.test(key)) {
    throw new ApiError('VALIDATION_ERROR', 'Idempotency-Key: must be 1 to 255 printable ASCII characters');
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([caller.tenant, caller.subject, key]))
    .digest('hex');
  return `key-${digest.slice(0, 32)}`;
}

/** A key that stands for another request already. */
export function keyTaken(restoreId: string): ApiError {
  return new ApiError('CONFLICT', `The Idempotency-Key was used for another request, run ${restoreId}.`, {
    hint: 'Send another key with another request; the same key goes with the same request only.',
    data: { run_id: restoreId },
  });
}
