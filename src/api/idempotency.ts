import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { newRestoreId } from '../client/restore-id.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';

/** The header of requests that start something, for their OpenAPI description. */
export const keyHeader = z.object({
  'idempotency-key': z.string().optional().openapi({
    description: '1 to 255 printable characters: the same request with the same key starts one run.',
  }),
});

const printable = /^[\x20-\x7e]{1,255}$/;

/**
 * The id of the run that a request starts. That of one with an Idempotency-Key follows from the key alone, so
 * that every API process derives the same one, and the second start finds the run of the first.
 *
 * @throws ApiError `VALIDATION_ERROR` for an empty key, one over 255 characters, or other than printable ASCII
 */
export function runIdOf(key: string | undefined, { tenant, subject }: Caller): string {
  if (key === undefined) return newRestoreId();
  if (!printable.test(key)) {
    throw new ApiError('VALIDATION_ERROR', 'Idempotency-Key: must be 1 to 255 printable ASCII characters');
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([tenant, subject, key]))
    .digest('hex');
  return `key-${digest.slice(0, 28)}`;
}

/** A key that stands for another request already. */
export function keyTaken(runId: string): ApiError {
  return new ApiError('CONFLICT', `The Idempotency-Key was used for another request, run ${runId}.`, {
    hint: 'Send another key with another request; the same key goes with the same request only.',
    data: { run_id: runId },
  });
}
