import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../src/api/app.ts';
import { configuredToken, tokenAuthenticator } from '../../src/api/auth.ts';
import { isLoopback } from '../../src/api/loopback.ts';
import { startApi } from '../../src/api/server.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import { fakeRestores, post, testApp, testConfig } from './fake-restores.ts';

async function send(path: string, init: RequestInit = {}, dependencies: Partial<AppDependencies> = {}) {
  const answer = await testApp(dependencies).request(path, init);
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    json: text.startsWith('{') ? JSON.parse(text) : text,
  };
}

const withToken = { authenticator: tokenAuthenticator('s3cret-token') };

describe('health', () => {
  it('is up', async () => {
    expect(await send('/healthz')).toMatchObject({
      status: 200,
      json: { success: true, data: { status: 'ok' } },
    });
  });

  it('is ready with Temporal, and tells what is missing without', async () => {
    expect(await send('/readyz')).toMatchObject({ status: 200, json: { data: { status: 'ready' } } });
    const readiness = async () => ({ configuration: true, temporal: false });
    expect(await send('/readyz', {}, { readiness })).toMatchObject({
      status: 503,
      json: {
        success: false,
        error: 'Not ready: temporal.',
        error_code: 'SERVICE_UNAVAILABLE',
        data: { checks: { configuration: true, temporal: false } },
      },
    });
  });
});

describe('description', () => {
  it('lists every route with the fields of a restore', async () => {
    const { status, json } = await send('/openapi.json');
    expect(status).toBe(200);
    expect(Object.keys(json.paths).sort()).toEqual([
      '/api/data/restore_runs/{runId}',
      '/api/data/restores',
      '/api/data/restores/{id}',
      '/api/restores',
      '/api/runs/{runId}',
      '/api/runs/{runId}/cancel',
      '/api/runs/{runId}/pause',
      '/api/runs/{runId}/resume',
      '/healthz',
      '/readyz',
    ]);
    expect(json.components.schemas.RestoreInput.properties).toMatchObject({
      database: { type: 'string' },
      conflict_strategy: { enum: ['skip', 'overwrite', 'fail', 'upsert'], default: 'skip' },
      lanes: { type: 'integer', minimum: 1, maximum: 64 },
      restore_all: { type: 'boolean' },
    });
    expect(json.components.schemas.RestoreInput.required ?? []).toEqual([]);
    const references = JSON.stringify(json).match(/#\/components\/schemas\/\w+/g) ?? [];
    for (const reference of new Set(references)) {
      expect(json.components.schemas).toHaveProperty(reference.replace('#/components/schemas/', ''));
    }
  });

  it('points to itself at the root', async () => {
    const { status, json } = await send('/');
    expect(status).toBe(200);
    expect(json).toContain('/openapi.json');
  });
});

describe('routes that are not there', () => {
  it('are 404', async () => {
    expect(await send('/api/nothing')).toMatchObject({
      status: 404,
      json: { success: false, error_code: 'NOT_FOUND' },
    });
  });

  it.each([
    ['DELETE', '/api/restores', 'POST'],
    ['GET', '/api/restores', 'POST'],
    ['POST', '/api/runs/x', 'GET, HEAD'],
    ['PUT', '/healthz', 'GET, HEAD'],
  ])('%s %s is 405', async (method, path, allow) => {
    const { status, json, headers } = await send(path, { method });
    expect({ status, code: json.error_code, allow: headers.get('allow') }).toEqual({
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      allow,
    });
  });
});

describe('with a token', () => {
  it.each([
    ['none', undefined, 'AUTH_TOKEN_REQUIRED'],
    ['another', 'Bearer other', 'AUTH_TOKEN_INVALID'],
    ['the beginning of it', 'Bearer s3cret', 'AUTH_TOKEN_INVALID'],
    ['no bearer', 'Basic czNjcmV0LXRva2Vu', 'AUTH_TOKEN_INVALID'],
    ['an empty one', 'Bearer ', 'AUTH_TOKEN_INVALID'],
  ])('refuses %s', async (_, authorization, code) => {
    const restores = fakeRestores();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await send(
      '/api/restores',
      post({ database: 'production_db', restore_all: true }, headers),
      { ...withToken, restores },
    );
    expect(answer).toMatchObject({ status: 401, json: { success: false, error_code: code } });
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(restores.started).toEqual([]);
  });

  it('lets its holder in, from anywhere', async () => {
    const headers = {
      authorization: 'Bearer s3cret-token',
      host: 'thaw.example.org',
      origin: 'https://ops.example.org',
    };
    const { status } = await send(
      '/api/restores',
      post({ database: 'production_db', restore_all: true }, headers),
      withToken,
    );
    expect(status).toBe(202);
  });

  it('closes every path but those that tell nothing', async () => {
    expect((await send('/api/runs/x', {}, withToken)).status).toBe(401);
    expect((await send('/api/nothing', {}, withToken)).status).toBe(401);
    expect((await send('/anything', {}, withToken)).status).toBe(401);
    for (const path of ['/', '/healthz', '/readyz', '/openapi.json']) {
      expect((await send(path, {}, withToken)).status).toBe(200);
    }
  });

  it('must be one that a header can carry', () => {
    expect(configuredToken({})).toBeNull();
    expect(configuredToken({ THAW_TOKEN: '' })).toBeNull();
    expect(configuredToken({ THAW_TOKEN: 'abc' })).toBe('abc');
    expect(() => configuredToken({ THAW_TOKEN: 'a b' })).toThrow(/THAW_TOKEN/);
  });
});

describe('without a token', () => {
  it.each(['localhost:8080', '127.0.0.1:8080', '127.9.9.9', '[::1]:8080'])('serves %s', async (host) => {
    expect((await send('/healthz', { headers: { host } })).status).toBe(200);
  });

  it.each([
    'evil.example:8080',
    '10.0.0.7',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '0.0.0.0:80',
    '@',
    '',
  ])('refuses the host %j: a name may have been rebound', async (host) => {
    expect(await send('/api/runs/x', { headers: { host } })).toMatchObject({
      status: 403,
      json: { error_code: 'FORBIDDEN' },
    });
  });

  it.each(['https://evil.example', 'null', 'http://127.0.0.1.evil.example', 'file://'])(
    'refuses pages of %s',
    async (origin) => {
      const restores = fakeRestores();
      const init = post({ database: 'production_db', restore_all: true }, { origin });
      expect((await send('/api/restores', init, { restores })).status).toBe(403);
      expect(restores.started).toEqual([]);
    },
  );

  it('serves pages of this machine', async () => {
    const init = post({ database: 'production_db', restore_all: true }, { origin: 'http://localhost:3000' });
    expect((await send('/api/restores', init)).status).toBe(202);
  });
});

describe('an error that nobody foresaw', () => {
  it('is 500, tells nothing, and is logged once with its request', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const restores = fakeRestores({
      describe: async () => {
        throw new Error('password=hunter2');
      },
    });
    const { status, json, headers } = await send('/api/runs/x', {}, { restores, logger });
    expect(status).toBe(500);
    expect(json).toEqual({
      success: false,
      error: 'An unexpected error occurred.',
      error_code: 'INTERNAL_ERROR',
      data: { request_id: headers.get('x-request-id'), hint: expect.any(String) },
    });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 50, requestId: json.data.request_id });
  });
});

describe('startApi', () => {
  const options = {
    config: testConfig,
    env: { THAW_DATABASE_URL: 'postgres://thaw@127.0.0.1:1/thaw' },
    port: 0,
    // Nothing listens on port 1.
    temporal: openTemporal({ TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    taskQueue: 'none',
    logger: pino({ enabled: false }),
  };

  it('listens for more than this machine only with a token', async () => {
    await expect(startApi({ ...options, host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'ConfigInvalid',
      object: 'THAW_TOKEN',
    });
    await expect(
      startApi({ ...options, host: '::', env: { ...options.env, THAW_TOKEN: '' } }),
    ).rejects.toMatchObject({
      code: 'ConfigInvalid',
    });
    const api = await startApi({ ...options, host: '0.0.0.0', env: { ...options.env, THAW_TOKEN: 'abc' } });
    await api.close();
  });

  it('needs a control database', async () => {
    const refusals = [{}, { THAW_DATABASE_URL: '' }, { THAW_DATABASE_URL: 'mysql://thaw' }];
    for (const env of refusals) {
      await expect(startApi({ ...options, env })).rejects.toMatchObject({
        code: 'ConfigInvalid',
        object: 'THAW_DATABASE_URL',
        hint: expect.stringContaining('postgres://'),
      });
    }
  });

  it('says where it listens, serves there, and closes', async () => {
    const urls: string[] = [];
    const api = await startApi({ ...options, onListening: (url) => void urls.push(url) });
    expect(api.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(urls).toEqual([api.url]);
    const health = await fetch(`${api.url}/healthz`);
    expect(health.status).toBe(200);
    const taken = Number(new URL(api.url).port);
    await expect(startApi({ ...options, port: taken })).rejects.toMatchObject({ code: 'ConfigInvalid' });
    await api.close();
    await expect(fetch(`${api.url}/healthz`)).rejects.toThrow();
  });

  it('is not ready, and answers 503, where Temporal is not there', async () => {
    const api = await startApi(options);
    const ready = await fetch(`${api.url}/readyz`);
    const run = await fetch(`${api.url}/api/runs/x`);
    await api.close();
    expect(ready.status).toBe(503);
    expect(run.status).toBe(503);
    expect(await run.json()).toMatchObject({ error_code: 'SERVICE_UNAVAILABLE' });
  });

  it('knows this machine by name and address', () => {
    expect(['localhost', '127.0.0.1', '127.8.8.8', '::1'].map(isLoopback)).toEqual([true, true, true, true]);
    expect(['', '0.0.0.0', '::', '10.0.0.1', 'thaw.local'].some(isLoopback)).toBe(false);
  });
});
