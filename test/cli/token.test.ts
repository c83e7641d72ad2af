import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { authSettings } from '../../src/auth/auth-settings.ts';
import { TokenVerifier } from '../../src/auth/verify-token.ts';
import { createProgram } from '../../src/cli/program.ts';
import { tokenEnv } from '../harness/token.ts';

/** What `thaw token` prints. */
async function tokenOf(flags: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const lines: string[] = [];
  const print = (text: string) => void lines.push(text);
  const printer = { line: print, aside: print } as unknown as Parameters<typeof createProgram>[0]['printer'];
  const program = createProgram({ env, printer, end: () => undefined });
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(['token', ...flags], { from: 'user' });
  return lines.join('\n');
}

test('thaw token makes one that the API takes', async () => {
  const env = { ...tokenEnv, THAW_JWT_ISSUER: 'thaw', THAW_JWT_AUDIENCE: 'api' };
  const flags = [
    '--tenant',
    'acme',
    '--access',
    'full',
    '--ns',
    'acme_data',
    '--subject',
    'ada',
    '--expires',
    '2h',
  ];
  const token = await tokenOf(flags, env);
  expect(await new TokenVerifier(authSettings(env)).verify(token)).toEqual({
    ...{ sub: 'ada', tenant: 'acme', access: 'full', ns: 'acme_data' },
  });
  const { exp = 0, iat = 0 } = decodeJwt(token);
  expect(exp - iat).toBe(7200);
  expect(decodeJwt(await tokenOf([], env))).toMatchObject({
    tenant: 'default',
    access: 'edit',
    ns: 'public',
  });
});

test.each([
  [['--access', 'all']],
  [['--ns', 'a b']],
  [['--ns', 'thaw']],
  [['--tenant', '']],
  [['--expires', '0d']],
  [['--expires', 'forever']],
])('thaw token refuses %j', async (flags) => {
  await expect(tokenOf(flags, tokenEnv)).rejects.toMatchObject({ code: 'commander.invalidArgument' });
});

test('thaw token needs the secret', async () => {
  const env = { THAW_JWKS: 'https://id.example/jwks', THAW_JWT_ISSUER: 'id', THAW_JWT_AUDIENCE: 'thaw' };
  await expect(tokenOf([], env)).rejects.toMatchObject({ code: 'ConfigInvalid', object: 'THAW_JWT_SECRET' });
});
