import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Access } from '../contract/access.ts';

/** What a token is to say. */
export interface NewToken {
  readonly subject: string;
  readonly tenant: string;
  readonly access: Access;
  /** The schema that its holder's bundles go into. */
  readonly namespace: string;
  /** Seconds from now. */
  readonly lifetime: number;
}

/** Who a token is made by and for, where that is checked. */
export interface TokenPlace {
  readonly issuer: string | null;
  readonly audience: string | null;
}

/** Makes a token, signed with HS256. */
export async function signToken(
  secret: Uint8Array,
  { subject, tenant, access, namespace, lifetime }: NewToken,
  { issuer, audience }: TokenPlace = { issuer: null, audience: null },
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const token = new SignJWT({ tenant, access, ns: namespace })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(subject)
    .setJti(randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime);
  if (issuer !== null) token.setIssuer(issuer);
  if (audience !== null) token.setAudience(audience);
  return token.sign(secret);
}
