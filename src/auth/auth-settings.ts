import { readFileSync } from 'node:fs';
import type { JSONWebKeySet } from 'jose';
import { ThawError } from '../contract/thaw-error.ts';

/** How tokens are checked. */
export interface AuthSettings {
  /** Secret of HS256; null: tokens made with a secret are refused. */
  readonly secret: Uint8Array | null;
  /** Public keys of RS256, ES256 and EdDSA, or where they are fetched; null: such tokens are refused. */
  readonly keys: JSONWebKeySet | URL | null;
  /** The claim `iss` that tokens must have; null: any. */
  readonly issuer: string | null;
  /** The claim `aud` that tokens must have; null: any. */
  readonly audience: string | null;
  /** Seconds that the clocks of issuer and API may differ by. */
  readonly clockSkew: number;
}

/** The key of HS256 has at least the size of its digest. https://www.rfc-editor.org/rfc/rfc7518#section-3.2 */
const shortestSecret = 32;
const defaultClockSkew = 30;
const largestClockSkew = 600;

/**
 * How tokens are checked, by `THAW_JWT_SECRET`, `THAW_JWKS`, `THAW_JWT_ISSUER`, `THAW_JWT_AUDIENCE` and
 * `THAW_JWT_CLOCK_SKEW`.
 *
 * @throws ThawError `ConfigInvalid` when there is neither secret nor keys, or one is not of use
 */
export function authSettings(env: NodeJS.ProcessEnv): AuthSettings {
  const secret = secretOf(env.THAW_JWT_SECRET);
  const keys = keysOf(env.THAW_JWKS);
  if (secret === null && keys === null) {
    throw unusable('THAW_JWT_SECRET', 'neither it nor THAW_JWKS is set', secretHint);
  }
  const issuer = env.THAW_JWT_ISSUER || null;
  const audience = env.THAW_JWT_AUDIENCE || null;
  // Who publishes keys signs tokens for many services: only these two claims tell whether one is for this API.
  if (keys !== null && issuer === null) throw unusable('THAW_JWT_ISSUER', 'is required with THAW_JWKS');
  if (keys !== null && audience === null) throw unusable('THAW_JWT_AUDIENCE', 'is required with THAW_JWKS');
  return { secret, keys, issuer, audience, clockSkew: clockSkewOf(env.THAW_JWT_CLOCK_SKEW) };
}

const secretHint = 'Set THAW_JWT_SECRET, for example to the output of `openssl rand -hex 32`.';

function secretOf(value: string | undefined): Uint8Array | null {
  if (value === undefined || value === '') return null;
  const secret = new TextEncoder().encode(value);
  if (secret.length >= shortestSecret) return secret;
  throw unusable('THAW_JWT_SECRET', `must have at least ${shortestSecret} bytes`, secretHint);
}

function keysOf(value: string | undefined): JSONWebKeySet | URL | null {
  if (value === undefined || value === '') return null;
  if (!/^https?:\/\//.test(value)) return keysOfFile(value);
  if (!URL.canParse(value)) throw unusable('THAW_JWKS', 'is no URL');
  const url = new URL(value);
  // Over plain HTTP whoever stands between could put keys of their own in.
  const ownMachine = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url.protocol === 'https:' || ownMachine) return url;
  throw unusable('THAW_JWKS', 'must be an https URL', 'Plain http is for this machine only.');
}

function keysOfFile(path: string): JSONWebKeySet {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isKeySet(parsed)) return parsed;
  } catch (error) {
    throw unusable('THAW_JWKS', `cannot be read: ${path}`, 'It names an https URL or a JSON file.', error);
  }
  throw unusable('THAW_JWKS', `holds no keys: ${path}`, 'It must be a JWK set: {"keys": […]}.');
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys);
}

function clockSkewOf(value: string | undefined): number {
  if (value === undefined || value === '') return defaultClockSkew;
  const seconds = Number(value);
  if (/^\d+$/.test(value) && seconds <= largestClockSkew) return seconds;
  throw unusable('THAW_JWT_CLOCK_SKEW', `must be a whole number of seconds from 0 to ${largestClockSkew}`);
}

function unusable(name: string, fault: string, hint?: string, cause?: unknown): ThawError {
  return new ThawError('ConfigInvalid', `${name}: ${fault}`, { object: name, hint, cause });
}
