import { ThawError } from '../contract/thaw-error.ts';
import type { ConfigFile } from './config.ts';
import type { S3StoreConfig } from './thaw-config.ts';

type S3Section = Omit<NonNullable<ConfigFile['s3']>, 'prefix'> | undefined;

/** AES-256. */
const keyBytes = 32;

/** Hosts that a request to never leaves the machine for. */
const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * How the store encrypts objects, the archiver's words in those of S3. Its SSE-C does nothing, as it has no
 * key; with one, every object is written and read by it.
 *
 * @param endpoint null: AWS, the only one that is asked for a kind without key
 * @param within what names of settings begin with in messages; empty for the section `s3` of the file itself
 * @throws ThawError `ConfigInvalid`; never quotes the key
 */
export function serverSideEncryption(
  s3: S3Section,
  endpoint: string | null,
  env: NodeJS.ProcessEnv,
  within: string,
): S3StoreConfig['encryption'] {
  const customerKey = customerKeyOf(s3, env, within);
  if (customerKey !== null) {
    if (endpoint !== null) refusePlainHttp(endpoint, within);
    return { customerKey };
  }
  if (endpoint !== null) return null;
  if (s3?.encryption === 'SSE-KMS') return 'aws:kms';
  return s3?.encryption === 'SSE-S3' ? 'AES256' : null;
}

function customerKeyOf(s3: S3Section, env: NodeJS.ProcessEnv, within: string): string | null {
  const variable = s3?.sse_customer_key_env;
  if (variable !== undefined && s3?.sse_customer_key !== undefined) {
    throw invalid(
      `${within}s3.sse_customer_key`,
      'and sse_customer_key_env must not both be set',
      'Take one of them out.',
    );
  }
  const field = `${within}s3.sse_customer_key${variable === undefined ? '' : '_env'}`;
  const text = variable === undefined ? s3?.sse_customer_key : env[variable];
  if (variable !== undefined && !text) {
    throw invalid(
      field,
      `environment variable ${variable} is not set`,
      `Set ${variable} to the key in base64.`,
    );
  }
  if (text === undefined) return null;
  if (s3?.encryption !== 'SSE-C') {
    throw invalid(
      field,
      'goes with encryption: SSE-C only',
      `Set ${within}s3.encryption to SSE-C, or take the key out.`,
    );
  }
  const key = Buffer.from(text, 'base64');
  if (key.length === keyBytes && key.toString('base64') === text.trim()) return text.trim();
  throw invalid(field, `must be ${keyBytes} bytes in base64`, 'Make one with `openssl rand -base64 32`.');
}

/** Every request carries the key: S3 refuses it over plain HTTP, when anybody on the way could have read it. */
function refusePlainHttp(endpoint: string, within: string): void {
  const { protocol, hostname } = new URL(endpoint);
  if (protocol === 'https:' || loopback.test(hostname)) return;
  throw invalid(
    `${within}s3.endpoint`,
    'must be https:// with encryption: SSE-C, since every request carries the key',
    'Use the https:// endpoint of the store.',
  );
}

function invalid(field: string, reason: string, hint: string): ThawError {
  return new ThawError('ConfigInvalid', `${field}: ${reason}`, { object: field, hint });
}
