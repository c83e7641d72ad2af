import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { RestoreStanding } from '../client/restore-client.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import type { ProgressView } from './progress-view.ts';

const pollEveryMs = 500;

/** A restore that says nothing for so long probably has no worker. */
const silentAfterMs = 15_000;

/** A server that is restarted is given so long to come back. */
const lostAfterMs = 60_000;

/** What tells how restores go. */
export interface Followed<Outcome> {
  progress(restoreId: string): Promise<RestoreProgress>;
  /** Resolves at the end. */
  outcome(restoreId: string): Promise<Outcome>;
  standing(restoreId: string): Promise<RestoreStanding>;
}

/** What to say while nobody answers for a restore. */
export interface FollowOptions {
  readonly view: ProgressView;
  readonly silence: string;
  /** Stops following; the restore goes on. */
  readonly signal: AbortSignal;
}

/**
 * Shows how a restore goes until it ends, and gives its outcome; null when the signal ended that.
 *
 * @throws InputInvalid when Temporal knows no such restore
 */
export async function followRestore<Outcome>(
  restores: Followed<Outcome>,
  restoreId: string,
  { view, silence, signal }: FollowOptions,
): Promise<Outcome | null> {
  const ended = new AbortController();
  const stop = AbortSignal.any([ended.signal, signal]);
  // Not waited for: a question that no worker answers takes its 10 s.
  void showProgress(restores, restoreId, { view, silence, signal: stop });
  try {
    return await Promise.race([persistentOutcome(restores, restoreId, stop), whenAborted(signal)]);
  } finally {
    ended.abort();
    view.stop();
  }
}

/** Asks and shows until told to stop. Progress is for the eyes: what goes wrong with it is no failure. */
async function showProgress(
  restores: Followed<unknown>,
  restoreId: string,
  { view, silence, signal }: FollowOptions,
): Promise<void> {
  let answeredAt = Date.now();
  let furthest = 0;
  while (!signal.aborted) {
    const progress = await restores.progress(restoreId).catch(() => null);
    if (signal.aborted) return;
    if (progress !== null) {
      answeredAt = Date.now();
      // A table that is about to end was seen to answer as it stood seconds before: 98 %, then 49 %.
      if (progress.archives.done >= furthest) view.show(progress);
      furthest = Math.max(furthest, progress.archives.done);
    } else if (Date.now() - answeredAt > silentAfterMs) {
      answeredAt = Number.POSITIVE_INFINITY;
      view.say(silence);
    }
    await sleep(pollEveryMs, undefined, { signal }).catch(() => {});
  }
}

/** Waits for the end, over a server that goes away for a moment too. */
async function persistentOutcome<Outcome>(
  restores: Followed<Outcome>,
  restoreId: string,
  signal: AbortSignal,
): Promise<Outcome> {
  let lostAt: number | null = null;
  for (;;) {
    try {
      return await restores.outcome(restoreId);
    } catch (error) {
      if (!isConnectionLoss(error) || signal.aborted) throw error;
      lostAt ??= Date.now();
      if (Date.now() - lostAt > lostAfterMs) throw error;
      await sleep(1_000);
      if (await isBack(restores, restoreId)) lostAt = null;
    }
  }
}

async function isBack(restores: Followed<unknown>, restoreId: string): Promise<boolean> {
  try {
    await restores.standing(restoreId);
    return true;
  } catch {
    return false;
  }
}

/** gRPC's UNAVAILABLE and DEADLINE_EXCEEDED. */
function isConnectionLoss(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return isGrpcServiceError(cause) && (cause.code === 14 || cause.code === 4);
}

/** Resolves with null once the signal is aborted. */
export function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
