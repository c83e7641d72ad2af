import { type NewToken, signToken } from '../../src/auth/sign-token.ts';

/** The secret of tests, as the API's environment has it. */
export const tokenEnv = { THAW_JWT_SECRET: 'the secret of tests, 32 bytes or more' } as const;

/** A token for everything of the tenant `default`, unless a test says otherwise. */
export async function testToken(changes: Partial<NewToken> = {}): Promise<string> {
  const secret = new TextEncoder().encode(tokenEnv.THAW_JWT_SECRET);
  const token = {
    subject: 'tester',
    tenant: 'default',
    access: 'root',
    namespace: 'public',
    lifetime: 600,
  } as const;
  return signToken(secret, { ...token, ...changes });
}

/** The same as the value of a header. */
export async function testAuthorization(changes: Partial<NewToken> = {}): Promise<string> {
  return `Bearer ${await testToken(changes)}`;
}
