import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { neededAccess } from '../../src/api/access.ts';
import { tokenAuthenticator } from '../../src/api/auth.ts';
import { authSettings } from '../../src/auth/auth-settings.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import { TokenVerifier } from '../../src/auth/verify-token.ts';
import { accessLevels } from '../../src/contract/access.ts';
import { testAuthorization, testToken, tokenEnv } from '../harness/token.ts';
import { post, read, type TestDependencies, testApp } from './fake-restores.ts';

const secret = new TextEncoder().encode(tokenEnv.THAW_JWT_SECRET);
const claims = { sub: 'ada', tenant: 'acme', access: 'edit', ns: 'public' };
/** A dry run, as that needs no control database. */
const start = { database: 'production_db', restore_all: true, dry_run: true };

function app(env: NodeJS.ProcessEnv = tokenEnv, dependencies: TestDependencies = {}) {
  const authenticator = tokenAuthenticator(new TokenVerifier(authSettings(env)));
  return testApp({ authenticator, ...dependencies });
}

/** What a start of a restore is answered with. */
async function answer(authorization: string | undefined, env?: NodeJS.ProcessEnv) {
  let begun = 0;
  const preview = async () => {
    begun += 1;
    return [];
  };
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const response = await app(env, { preview }).request('/api/restores', post(start, headers));
  const { status, json } = await read(response);
  expect(begun).toBe(status === 200 ? 1 : 0);
  if (status === 401) expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
  return status === 200 ? 'accepted' : `${status} ${json.error_code}`;
}

/** Claims that are undefined are left out. */
function signed(
  changes: Record<string, unknown> = {},
  alg = 'HS256',
  key: Parameters<SignJWT['sign']>[0] = secret,
) {
  const payload = JSON.stringify({ ...claims, exp: inSeconds(60), ...changes });
  return new SignJWT(JSON.parse(payload) as JWTPayload).setProtectedHeader({ alg }).sign(key);
}

describe('a token', () => {
  it('lets its holder in', async () => {
    expect(await answer(await testAuthorization({ access: 'edit' }))).toBe('accepted');
    expect(await answer(`bearer  ${await signed()}`)).toBe('accepted');
    expect(await answer(`Bearer ${await signed({ sub: undefined, user_id: 'u-1' })}`)).toBe('accepted');
  });

  it.each([
    ['none', async () => undefined, '401 AUTH_TOKEN_REQUIRED'],
    ['another scheme', async () => 'Basic czNjcmV0LXRva2Vu', '401 AUTH_TOKEN_INVALID'],
    ['an empty one', async () => 'Bearer ', '401 AUTH_TOKEN_INVALID'],
    ['text that is no token', async () => 'Bearer a.b.c', '401 AUTH_TOKEN_INVALID'],
    ['a word', async () => 'Bearer s3cret', '401 AUTH_TOKEN_INVALID'],
    [
      'no signature',
      async () => `Bearer ${new UnsecuredJWT(claims).setExpirationTime('1h').encode()}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    [
      'another secret',
      async () => `Bearer ${await signed({}, 'HS256', new Uint8Array(32))}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    [
      'an algorithm that is not pinned',
      async () => `Bearer ${await signed({}, 'HS512')}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    ['a changed claim', async () => changedClaim(await signed()), '401 AUTH_TOKEN_INVALID'],
    ['no end', async () => `Bearer ${await signed({ exp: undefined })}`, '401 AUTH_TOKEN_INVALID'],
    [
      'an end before the skew',
      async () => `Bearer ${await signed({ exp: inSeconds(-31) })}`,
      '401 AUTH_TOKEN_EXPIRED',
    ],
    ['an end within the skew', async () => `Bearer ${await signed({ exp: inSeconds(-25) })}`, 'accepted'],
    [
      'a beginning to come',
      async () => `Bearer ${await signed({ nbf: inSeconds(60) })}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    ['no tenant', async () => `Bearer ${await signed({ tenant: undefined })}`, '401 AUTH_TOKEN_INVALID'],
    ['no schema', async () => `Bearer ${await signed({ ns: undefined })}`, '401 AUTH_TOKEN_INVALID'],
    [
      'a schema that is SQL',
      async () => `Bearer ${await signed({ ns: 'a"; drop' })}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    [
      'the schema of Thaw',
      async () => `Bearer ${await signed({ ns: 'THAW_API' })}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    [
      'the schema of PostgreSQL',
      async () => `Bearer ${await signed({ ns: 'pg_catalog' })}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    [
      'an unknown access',
      async () => `Bearer ${await signed({ access: 'super' })}`,
      '401 AUTH_TOKEN_INVALID',
    ],
    ['the access deny', async () => `Bearer ${await signed({ access: 'deny' })}`, '403 FORBIDDEN'],
  ])('with %s', async (_, authorization, expected) => {
    expect(await answer(await authorization())).toBe(expected);
  });

  it('is checked for issuer and audience where they are set', async () => {
    const env = { ...tokenEnv, THAW_JWT_ISSUER: 'https://id.example', THAW_JWT_AUDIENCE: 'thaw' };
    const right = { iss: 'https://id.example', aud: ['other', 'thaw'] };
    expect(await answer(`Bearer ${await signed(right)}`, env)).toBe('accepted');
    for (const changes of [
      { iss: 'https://evil.example' },
      { iss: undefined },
      { aud: 'other' },
      { aud: undefined },
    ]) {
      expect(await answer(`Bearer ${await signed({ ...right, ...changes })}`, env)).toBe(
        '401 AUTH_TOKEN_INVALID',
      );
    }
  });
});

describe('public keys', () => {
  const place = { THAW_JWT_ISSUER: 'id', THAW_JWT_AUDIENCE: 'thaw' };
  const right = { iss: 'id', aud: 'thaw' };

  it.each(['RS256', 'ES256', 'EdDSA'])('of a file check %s, and nothing else', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    const folder = mkdtempSync(path.join(tmpdir(), 'thaw-auth-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'jwks.json');
    const jwk = await exportJWK(publicKey);
    writeFileSync(file, JSON.stringify({ keys: [jwk] }));
    const env = { THAW_JWKS: file, ...place };
    expect(await answer(`Bearer ${await signed(right, alg, privateKey)}`, env)).toBe('accepted');
    const stranger = await generateKeyPair(alg);
    expect(await answer(`Bearer ${await signed(right, alg, stranger.privateKey)}`, env)).toBe(
      '401 AUTH_TOKEN_INVALID',
    );
    expect(await answer(`Bearer ${await signed({ ...right, aud: 'x' }, alg, privateKey)}`, env)).toBe(
      '401 AUTH_TOKEN_INVALID',
    );
    // What is public must not serve as the secret of HS256, the classical confusion.
    const publicText = new TextEncoder().encode(JSON.stringify(jwk).padEnd(32));
    expect(await answer(`Bearer ${await signed(right, 'HS256', publicText)}`, env)).toBe(
      '401 AUTH_TOKEN_INVALID',
    );
  });

  it('are fetched from a URL, and a server that does not answer is 503', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    let up = false;
    const server = createServer(async (_, response) => {
      response.writeHead(up ? 200 : 500).end(JSON.stringify({ keys: [await exportJWK(publicKey)] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const env = { THAW_JWKS: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, ...place };
    const token = `Bearer ${await signed(right, 'ES256', privateKey)}`;
    expect(await answer(token, env)).toBe('503 SERVICE_UNAVAILABLE');
    up = true;
    expect(await answer(token, env)).toBe('accepted');
  });
});

describe('access', () => {
  it.each(Object.entries(neededAccess))('%s is for %s and above', async (route, needed) => {
    const [method = '', where = ''] = route.split(' ');
    const url = where.replaceAll(/\{\w+\}/g, 'x');
    const ask = async (headers: Record<string, string>) =>
      (await app().request(url, { method, headers, ...(method === 'GET' ? {} : { body: '' }) })).status;
    expect((await ask({})) === 401).toBe(needed !== 'open');
    if (needed === 'open') return;
    for (const access of accessLevels) {
      const status = await ask({ authorization: await testAuthorization({ access }) });
      const below = accessLevels.indexOf(access) < accessLevels.indexOf(needed);
      expect({ access, refused: status === 403 }).toEqual({ access, refused: below });
    }
  });

  it('to archives ends at the schema of the token, but for root', async () => {
    const asked = async (request: object, access: NewToken['access']) => {
      const headers = {
        authorization: await testAuthorization({ access, tenant: 'acme', namespace: 'acme' }),
      };
      const init = post({ database: 'production_db', ...request, dry_run: true }, headers);
      return (await app().request('/api/restores', init)).status;
    };
    for (const request of [
      { restore_all: true },
      { table: 'audit_logs' },
      { table: 'audit_logs', into_table: 'copy' },
      { tables: [{ table: 'audit_logs', schema: 'public', into_schema: 'acme' }] },
      { tables: [{ table: 'audit_logs', schema: 'acme', into_schema: 'public' }] },
    ]) {
      expect([await asked(request, 'full'), await asked(request, 'root')]).toEqual([403, 200]);
    }
    expect(await asked({ tables: [{ table: 'audit_logs', schema: 'acme' }] }, 'edit')).toBe(200);
  });

  it('to what is not there is refused before anything is said', async () => {
    expect((await app().request('/api/nothing')).status).toBe(401);
    expect((await app().request('/api/restores', { method: 'DELETE' })).status).toBe(401);
    const headers = { authorization: await testAuthorization({ access: 'read' }) };
    expect((await app().request('/api/nothing', { headers })).status).toBe(404);
    expect((await app().request('/api/restores', { method: 'DELETE', headers })).status).toBe(405);
  });
});

describe('a refusal', () => {
  it('is logged with who asked for what, and without the token', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const token = await testToken({ access: 'read', tenant: 'acme', subject: 'ada' });
    const headers = { authorization: `Bearer ${token}` };
    await app(tokenEnv, { logger }).request('/api/restores', post(start, headers));
    await app(tokenEnv, { logger }).request('/api/runs/x', {
      headers: { authorization: `Bearer ${token}x` },
    });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        msg: 'request refused',
        code: 'FORBIDDEN',
        method: 'POST',
        path: '/api/restores',
        tenant: 'acme',
        subject: 'ada',
      },
      { msg: 'request refused', code: 'AUTH_TOKEN_INVALID', method: 'GET', path: '/api/runs/x' },
    ]);
    for (const part of token.split('.')) expect(lines.join('')).not.toContain(part);
  });
});

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** A token of another tenant under the signature of this one. */
function changedClaim(token: string): string {
  const [header, , signature] = token.split('.');
  const body = Buffer.from(JSON.stringify({ ...claims, tenant: 'other', exp: inSeconds(60) })).toString(
    'base64url',
  );
  return `Bearer ${header}.${body}.${signature}`;
}
