import { Context } from '@temporalio/activity';
import type { PitrHeartbeat, PitrRequest } from '../src/contract/pitr.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { type Place, placesFingerprint, withPlace } from '../src/dump/pitr/place.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withHeartbeats } from './heartbeat.ts';

/** What an activity of a recovery works with. */
export interface PitrTools {
  /** Holds secrets. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborted when the activity is to end. */
  readonly signal: AbortSignal;
  /** Says that so many bytes have come since. */
  readonly onBytes: (bytes: number) => void;
  /** Says how far the server is. */
  tell(replayed: Pick<PitrHeartbeat, 'lsn' | 'time'>): void;
  /** Does something with the place of the base backup. */
  withBase<T>(action: (base: Place) => Promise<T>): Promise<T>;
  /** Does something with the archive of WAL. */
  withWal<T>(action: (wal: Place) => Promise<T>): Promise<T>;
}

/**
 * Does the work of an activity, with heartbeats as long as it goes on.
 *
 * @throws ThawError `ConfigInvalid` where this worker's object store is another one than that of the request
 */
export async function withPitrTools<T>(
  { config, env }: ThawContext,
  request: PitrRequest,
  action: (tools: PitrTools) => Promise<T>,
): Promise<T> {
  const { base, wal, fingerprint } = request;
  if (placesFingerprint([base, wal], config) !== fingerprint) {
    throw new ThawError(
      'ConfigInvalid',
      "This worker's object store is not the one that was asked for with.",
      {
        object: base,
        hint: 'Give the worker and whoever asks the same endpoint and bucket, or task queues of their own.',
      },
    );
  }
  let said: PitrHeartbeat = { bytes: 0, lsn: null, time: null };
  return withHeartbeats(
    () => said,
    () =>
      action({
        env,
        signal: Context.current().cancellationSignal,
        onBytes: (bytes) => {
          said = { ...said, bytes: said.bytes + bytes };
        },
        tell: (replayed) => {
          said = { ...said, ...replayed };
        },
        withBase: (work) => withPlace(base, config, env, work),
        withWal: (work) => withPlace(wal, config, env, work),
      }),
  );
}
