import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { authSettings } from '../auth/auth-settings.ts';
import { signToken } from '../auth/sign-token.ts';
import { TokenVerifier } from '../auth/verify-token.ts';
import { writeWhole } from './state-file.ts';

const day = 86_400;

/**
 * The token that `thaw dev` prints: of the tenant `default` and for everything. It is kept in the file token of
 * the folder, and made anew when it is to expire within a day, or is none for the secret.
 */
export async function devToken(folder: string, secret: string): Promise<string> {
  const file = path.join(folder, 'token');
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (await countsTomorrow(kept, secret)) return kept;
  const claims = { subject: 'dev', tenant: 'default', access: 'root', namespace: 'public' } as const;
  const token = await signToken(new TextEncoder().encode(secret), { ...claims, lifetime: 90 * day });
  writeWhole(file, `${token}\n`, 0o600);
  return token;
}

async function countsTomorrow(token: string, secret: string): Promise<boolean> {
  const verifier = new TokenVerifier(authSettings({ THAW_JWT_SECRET: secret }));
  return verifier.verify(token, new Date(Date.now() + day * 1000)).then(
    () => true,
    () => false,
  );
}
