import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { authSettings } from '../../src/auth/auth-settings.ts';
import { TokenVerifier } from '../../src/auth/verify-token.ts';
import { devToken } from '../../src/stack/dev-token.ts';
import { testToken, tokenEnv } from '../harness/token.ts';

test('the token of thaw dev is kept until it is about to expire or its secret is another', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'thaw-token-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'token');
  const secret = tokenEnv.THAW_JWT_SECRET;

  const first = await devToken(folder, secret);
  expect(await new TokenVerifier(authSettings(tokenEnv)).verify(first)).toMatchObject({
    tenant: 'default',
    access: 'root',
    ns: 'public',
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await devToken(folder, secret)).toBe(first);
  expect(await devToken(folder, `${secret}, another`)).not.toBe(first);

  const old = await testToken({ lifetime: 80_000 });
  writeFileSync(file, old);
  const fresh = await devToken(folder, secret);
  expect(fresh).not.toBe(old);
  expect(readFileSync(file, 'utf8').trim()).toBe(fresh);
});
