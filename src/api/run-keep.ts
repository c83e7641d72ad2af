import { parseSeconds } from '../config/duration.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** An Idempotency-Key is remembered as long as its run, and for a day at least. */
const shortest = 86_400;

/**
 * Seconds that runs and their logs are kept after their end: `THAW_RUN_KEEP` (365d); null: for ever.
 *
 * @throws ThawError `ConfigInvalid` when it is no time of a day at least
 */
export function configuredRunKeep(env: NodeJS.ProcessEnv): number | null {
  const value = env.THAW_RUN_KEEP || '365d';
  if (value === 'forever') return null;
  const seconds = parseSeconds(value);
  if (seconds !== null && seconds >= shortest) return seconds;
  throw new ThawError('ConfigInvalid', 'THAW_RUN_KEEP: must be such as 90d, one day at least, or forever', {
    object: 'THAW_RUN_KEEP',
    hint: 'Leave it out for 365d.',
  });
}
