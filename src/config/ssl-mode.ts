import { ThawError } from '../contract/thaw-error.ts';
import { type SslMode, sslModes } from './config.ts';

/** What is wrong with another word than those of libpq. */
export const sslModeReason = `must be one of ${sslModes.join(', ')}`;

/** Reads how libpq names it; null where that is none of its words. */
export function parseSslMode(word: string): SslMode | null {
  return sslModes.find((known) => known === word) ?? null;
}

/**
 * TLS to PostgreSQL where nothing but `PGSSLMODE` says it.
 *
 * @throws ThawError `ConfigInvalid` where that is none of libpq's words
 */
export function environmentSslMode(env: NodeJS.ProcessEnv): SslMode {
  const word = env.PGSSLMODE || 'prefer';
  const mode = parseSslMode(word);
  if (mode !== null) return mode;
  throw new ThawError('ConfigInvalid', `PGSSLMODE: ${sslModeReason} (got "${word}")`, {
    object: 'PGSSLMODE',
    hint: 'Correct the environment variable, or set sslmode in the configuration.',
  });
}
