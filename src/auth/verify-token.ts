import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { AuthSettings } from './auth-settings.ts';
import { type TokenClaims, tokenClaims } from './claims.ts';

/** Why a token does not count. The reason never holds any of it but names of claims. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly kind: 'expired' | 'invalid' | 'keys unavailable';

  constructor(kind: TokenRefused['kind'], reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

const byKeys = ['RS256', 'ES256', 'EdDSA'];

/** Tells which tokens count, and what they say. */
export class TokenVerifier {
  readonly #settings: AuthSettings;
  readonly #publicKey: JWTVerifyGetKey | null;

  /** Nothing is fetched yet. */
  constructor(settings: AuthSettings) {
    const { keys } = settings;
    this.#settings = settings;
    if (keys === null) this.#publicKey = null;
    else this.#publicKey = keys instanceof URL ? fetchedKeys(keys) : createLocalJWKSet(keys);
  }

  /**
   * What a token says, when its signature, times, issuer and audience are right.
   *
   * @param at the time to check for; @default now
   * @throws TokenRefused
   */
  async verify(token: string, at = new Date()): Promise<TokenClaims> {
    try {
      return claimsOf(await this.#payload(token, at));
    } catch (error) {
      throw refusal(error);
    }
  }

  /** A key is only ever used with the algorithms that it is for, whatever the token's header asks for. */
  async #payload(token: string, currentDate: Date): Promise<JWTPayload> {
    const { secret, issuer, audience, clockSkew } = this.#settings;
    const options = {
      currentDate,
      requiredClaims: ['exp'],
      clockTolerance: clockSkew,
      ...(issuer === null ? {} : { issuer }),
      ...(audience === null ? {} : { audience }),
    };
    const { alg } = decodeProtectedHeader(token);
    if (alg === 'HS256' && secret !== null) {
      return (await jwtVerify(token, secret, { ...options, algorithms: ['HS256'] })).payload;
    }
    if (alg !== undefined && byKeys.includes(alg) && this.#publicKey !== null) {
      return (await jwtVerify(token, this.#publicKey, { ...options, algorithms: byKeys })).payload;
    }
    throw new TokenRefused('invalid', 'its algorithm is not accepted');
  }
}

/** Keys of a server: fetched when first needed, and again, at most every 30 s, for a key that is not known. */
function fetchedKeys(url: URL): JWTVerifyGetKey {
  const fetched = createRemoteJWKSet(url);
  return async (header, token) => {
    try {
      return await fetched(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw error;
      }
      throw new TokenRefused('keys unavailable', 'the keys that it is checked with cannot be fetched', error);
    }
  };
}

function claimsOf(payload: JWTPayload): TokenClaims {
  const result = tokenClaims.safeParse(payload);
  if (result.success) return result.data;
  const names = new Set(result.error.issues.map(({ path }) => String(path[0])));
  throw new TokenRefused('invalid', `its claim ${[...names].join(', ')} is missing or not valid`);
}

function refusal(error: unknown): TokenRefused {
  if (error instanceof TokenRefused) return error;
  if (error instanceof errors.JWTExpired) return new TokenRefused('expired', 'it has expired', error);
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') {
    return new TokenRefused('invalid', 'it is not valid yet, by its claim nbf', error);
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new TokenRefused('invalid', `its claim ${error.claim} is missing or another`, error);
  }
  return new TokenRefused('invalid', 'it is not signed as it should be', error);
}
