import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'hono';
import { ApiError } from './api-error.ts';

/** How a body is read. */
export interface BodyLimits {
  /** Bytes at most. */
  readonly bytes: number;
  /** Seconds without a byte, after which it is given up. */
  readonly patience: number;
}

/** Bytes in a second that a body must bring in the long run: a trickle would hold a connection for days. */
const slowest = 1024;

/**
 * The bytes of a body as they come.
 *
 * @throws ApiError `BODY_TOO_LARGE`, by the header before anything is read, or as soon as it shows;
 *   `REQUEST_TIMEOUT` for one that is too slow; `BAD_REQUEST` when it breaks off
 */
export async function* readBody(context: Context, limits: BodyLimits): AsyncGenerator<Uint8Array> {
  const said = Number(context.req.header('content-length') ?? 0);
  if (said > limits.bytes) throw tooLarge(limits);
  const reader = context.req.raw.body?.getReader();
  if (reader === undefined) return;
  const began = performance.now();
  let bytes = 0;
  try {
    for (;;) {
      const slow = limits.patience + bytes / slowest - (performance.now() - began) / 1000;
      const chunk = await nextOf(reader, Math.min(limits.patience, slow));
      if (chunk === undefined) return;
      bytes += chunk.length;
      if (bytes > limits.bytes) throw tooLarge(limits);
      yield chunk;
    }
  } finally {
    // What is still to come of a body that was refused is not read.
    await reader.cancel().catch(() => {});
  }
}

/** @returns undefined at the end */
async function nextOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  seconds: number,
): Promise<Uint8Array | undefined> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const tooSlow = sleep(Math.max(seconds, 0) * 1000, 'too slow' as const, { signal, ref: false });
  tooSlow.catch(() => {});
  try {
    const next = await Promise.race([reader.read(), tooSlow]);
    if (next === 'too slow') throw timedOut();
    return next.value;
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('BAD_REQUEST', 'The body broke off.', { cause: error });
  } finally {
    waiting.abort();
  }
}

function tooLarge({ bytes }: BodyLimits): ApiError {
  return new ApiError('BODY_TOO_LARGE', `The body is larger than ${bytes} bytes.`, {
    headers: { Connection: 'close' },
  });
}

function timedOut(): ApiError {
  return new ApiError('REQUEST_TIMEOUT', 'The body came too slowly.', {
    hint: 'Send it again, over a better connection.',
    headers: { Connection: 'close' },
  });
}
