import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { ThawError } from '../contract/thaw-error.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import { type Caller, soleCaller } from './caller.ts';

/** Tells from a request's `Authorization` header who asks. */
export interface Authenticator {
  /** @throws ApiError `AUTH_TOKEN_REQUIRED` or `AUTH_TOKEN_INVALID` */
  authenticate(authorization: string | undefined): Promise<Caller>;
}

/** Paths that anybody may ask for: they tell nothing about this installation. */
const openPaths: ReadonlySet<string> = new Set(['/', '/healthz', '/readyz', '/openapi.json']);

/** Lets in whom the authenticator knows. A path that is not listed as open is closed. */
export function requireAuthentication(authenticator: Authenticator): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    if (!openPaths.has(context.req.path)) {
      context.set('caller', await authenticator.authenticate(context.req.header('authorization')));
    }
    await next();
  };
}

/** Lets in whoever holds the one token, `THAW_TOKEN`. */
export function tokenAuthenticator(token: string): Authenticator {
  const expected = digest(token);
  return {
    async authenticate(authorization) {
      const given = bearerToken(authorization);
      // Digests have one length, so that the comparison takes the same time for every token.
      if (!timingSafeEqual(digest(given), expected)) {
        throw unauthorized('AUTH_TOKEN_INVALID', 'The token is not valid.');
      }
      return soleCaller('token');
    },
  };
}

/** Lets in everybody: for an API that only this machine reaches. */
export const openAuthenticator: Authenticator = {
  async authenticate() {
    return soleCaller('local');
  },
};

/**
 * The token of the environment; null where there is none.
 *
 * @throws ThawError `ConfigInvalid` when no `Authorization` header could carry it
 */
export function configuredToken(env: NodeJS.ProcessEnv): string | null {
  const token = env.THAW_TOKEN;
  if (token === undefined || token === '') return null;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new ThawError('ConfigInvalid', 'THAW_TOKEN: must be printable ASCII without spaces', {
    object: 'THAW_TOKEN',
    hint: 'Make one with `openssl rand -hex 32`.',
  });
}

function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined) {
    throw unauthorized('AUTH_TOKEN_REQUIRED', 'A bearer token is required.');
  }
  const [, token] = /^bearer +(\S+)$/i.exec(authorization) ?? [];
  if (token === undefined)
    throw unauthorized('AUTH_TOKEN_INVALID', 'The Authorization header holds no bearer token.');
  return token;
}

function unauthorized(code: 'AUTH_TOKEN_REQUIRED' | 'AUTH_TOKEN_INVALID', message: string): ApiError {
  return new ApiError(code, message, {
    hint: 'Send `Authorization: Bearer` with the THAW_TOKEN that the API was started with.',
    headers: { 'WWW-Authenticate': 'Bearer realm="thaw"' },
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
