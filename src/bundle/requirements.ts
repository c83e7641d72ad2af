import { satisfies, validRange } from 'semver';
import { ThawError } from '../contract/thaw-error.ts';
import { badBundle } from './bundle-error.ts';
import type { Requirement } from './manifest.ts';

/**
 * Compares what a bundle requires with what is installed.
 *
 * @param installed versions by name
 * @throws ThawError `ConflictFound` naming what is missing; `InputInvalid` for what is no range of versions
 */
export function checkRequirements(
  requires: readonly Requirement[],
  installed: ReadonlyMap<string, string>,
): void {
  const missing = requires.flatMap(({ name, version: range }) => {
    if (validRange(range) === null)
      throw badBundle(`manifest.json: requires: ${shown(range)} is no range of versions`);
    const version = installed.get(name);
    if (version !== undefined && satisfies(version, range, { includePrerelease: true })) return [];
    return [`${shown(name)} ${range} (installed: ${version ?? 'none'})`];
  });
  if (missing.length === 0) return;
  throw new ThawError('ConflictFound', `the bundle requires ${missing.join(', ')}.`, {
    object: 'bundle',
    hint: 'Restore the bundles that it requires first, into the same namespace.',
  });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
