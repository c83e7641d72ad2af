import { ThawError } from '../contract/thaw-error.ts';

/** As many as the source system allows. */
const defaultPerHour = 5;

/**
 * Restores of snapshots that may begin for one tenant within an hour: `THAW_SNAPSHOT_RESTORES_PER_HOUR`; null: any
 * number.
 *
 * @throws ThawError `ConfigInvalid`
 */
export function snapshotRestoresPerHour(env: NodeJS.ProcessEnv): number | null {
  const name = 'THAW_SNAPSHOT_RESTORES_PER_HOUR';
  const value = env[name] || String(defaultPerHour);
  if (/^\d{1,6}$/.test(value)) return Number(value) === 0 ? null : Number(value);
  throw new ThawError('ConfigInvalid', `${name}: must be a whole number from 0 to 999999`, { object: name });
}
