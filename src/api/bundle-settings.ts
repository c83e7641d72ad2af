import { parseBytes } from '../config/byte-size.ts';
import { parseSeconds } from '../config/duration.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type BundleDatabase, bundleDatabase } from './bundle-database.ts';

/** What the API takes of bundles, where they go, and how long it keeps them. */
export interface BundleSettings {
  readonly databaseOf: BundleDatabase;
  /** Bytes of an upload at most. */
  readonly uploadLimit: number;
  /** Seconds that an upload is kept. */
  readonly uploadKeep: number;
  /** Seconds that the bundle of an extract is kept. */
  readonly extractKeep: number;
  /** Seconds without a byte of a body after which it is given up. */
  readonly bodyPatience: number;
}

/**
 * `THAW_BUNDLE_DATABASE`, `THAW_UPLOAD_LIMIT` (1GiB), `THAW_UPLOAD_KEEP` (7d) and `THAW_EXTRACT_KEEP` (7d).
 *
 * @throws ThawError `ConfigInvalid`
 */
export function bundleSettings(config: ThawConfig, env: NodeJS.ProcessEnv): BundleSettings {
  return {
    databaseOf: bundleDatabase(config, env),
    uploadLimit: read(env, 'THAW_UPLOAD_LIMIT', '1GiB', parseBytes),
    uploadKeep: read(env, 'THAW_UPLOAD_KEEP', '7d', parseSeconds),
    extractKeep: read(env, 'THAW_EXTRACT_KEEP', '7d', parseSeconds),
    bodyPatience: 30,
  };
}

function read(
  env: NodeJS.ProcessEnv,
  name: string,
  fallback: string,
  parse: (text: string) => number | null,
): number {
  const value = parse(env[name] || fallback);
  if (value !== null && value > 0) return value;
  throw new ThawError('ConfigInvalid', `${name}: must be such as ${fallback}`, {
    object: name,
    hint: `Leave it out for ${fallback}.`,
  });
}
