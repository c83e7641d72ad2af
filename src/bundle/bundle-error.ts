import { ThawError } from '../contract/thaw-error.ts';

/** A bundle that cannot be what it should be: nothing of it is restored. */
export function badBundle(message: string, hint = 'Make the bundle anew from its extract.'): ThawError {
  return new ThawError('InputInvalid', `the bundle: ${message}`, { object: 'bundle', hint });
}
