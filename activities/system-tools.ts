import { Context } from '@temporalio/activity';
import { findSystem, type LoadedSystem, loadSystems, systemFingerprint } from '../src/config/load-system.ts';
import type { SystemRequest } from '../src/contract/system-request.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withHeartbeats } from './heartbeat.ts';

/**
 * Does the work of an activity of a system, with heartbeats as long as it goes on. The system is that of this worker's
 * own `system.yaml`, as it is now.
 *
 * @throws ThawError `ConfigInvalid` where it consists of something else than what was asked for
 */
export function withSystem<T>(
  { config, env }: ThawContext,
  request: SystemRequest,
  action: (loaded: LoadedSystem, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { cancellationSignal } = Context.current();
  return withHeartbeats(
    () => ({}),
    async () => {
      const loaded = findSystem(await loadSystems(config, env), request.system);
      if (systemFingerprint(loaded.system) === request.fingerprint) return action(loaded, cancellationSignal);
      throw new ThawError(
        'ConfigInvalid',
        `This worker's system.yaml describes ${request.system} otherwise than the one that the restore was asked for with.`,
        {
          object: request.system,
          hint: 'Give the worker and whoever asks the same databases, dumps and numbers of commands, or task queues of their own.',
        },
      );
    },
  );
}
