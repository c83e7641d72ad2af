import { TokenRefused, type TokenVerifier } from '../auth/verify-token.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';

/** Tells from a request's `Authorization` header who asks. */
export interface Authenticator {
  /**
   * @throws ApiError `AUTH_TOKEN_REQUIRED`, `AUTH_TOKEN_INVALID` or `AUTH_TOKEN_EXPIRED`; `FORBIDDEN` for the
   *   access `deny`; `SERVICE_UNAVAILABLE` when public keys cannot be fetched
   */
  authenticate(authorization: string | undefined): Promise<Caller>;
}

/** Lets in who has a token that the verifier takes. */
export function tokenAuthenticator(verifier: TokenVerifier): Authenticator {
  return {
    async authenticate(authorization) {
      const { sub, user_id, tenant, access, ns } = await verified(verifier, bearerToken(authorization));
      const subject = sub ?? user_id ?? tenant;
      if (access === 'deny') throw new ApiError('FORBIDDEN', 'The token allows nothing: its access is deny.');
      return { subject, tenant, access, namespace: ns };
    },
  };
}

async function verified(verifier: TokenVerifier, token: string) {
  try {
    return await verifier.verify(token);
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    const { kind, message } = error;
    if (kind === 'invalid') throw unauthorized('AUTH_TOKEN_INVALID', `The token is not valid: ${message}.`);
    if (kind === 'expired') throw unauthorized('AUTH_TOKEN_EXPIRED', 'The token has expired.');
    throw new ApiError('SERVICE_UNAVAILABLE', `The token cannot be checked: ${message}.`, {
      hint: 'Ask again; the server of THAW_JWKS did not answer.',
      cause: error.cause,
    });
  }
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

function unauthorized(
  code: 'AUTH_TOKEN_REQUIRED' | 'AUTH_TOKEN_INVALID' | 'AUTH_TOKEN_EXPIRED',
  message: string,
): ApiError {
  return new ApiError(code, message, {
    hint: 'Send `Authorization: Bearer` with a token; `thaw token` makes one where the API has a secret.',
    headers: { 'WWW-Authenticate': 'Bearer realm="thaw"' },
  });
}
