import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../src/api/app.ts';
import { startApi } from '../../src/api/server.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import { testAuthorization, tokenEnv } from '../harness/token.ts';
import { testApp, testConfig } from './fake-restores.ts';

async function send(path: string, init: RequestInit = {}, dependencies: Partial<AppDependencies> = {}) {
  const answer = await testApp(dependencies).request(path, init);
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    json: text.startsWith('{') ? JSON.parse(text) : text,
  };
}

describe('health', () => {
  it('is up', async () => {
    expect(await send('/healthz')).toMatchObject({
      status: 200,
      json: { success: true, data: { status: 'ok' } },
    });
  });

  it('is ready with Temporal, and tells what is missing without', async () => {
    expect(await send('/readyz')).toMatchObject({ status: 200, json: { data: { status: 'ready' } } });
    const readiness = async () => ({ configuration: true, temporal: false, database: true });
    expect(await send('/readyz', {}, { readiness })).toMatchObject({
      status: 503,
      json: {
        success: false,
        error: 'Not ready: temporal.',
        error_code: 'SERVICE_UNAVAILABLE',
        data: { checks: { configuration: true, temporal: false, database: true } },
      },
    });
  });
});

describe('description', () => {
  it('lists every route with the fields of a restore', async () => {
    const { status, json } = await send('/openapi.json');
    expect(status).toBe(200);
    expect(Object.keys(json.paths).sort()).toEqual([
      '/api/data/dumps',
      '/api/data/extract_runs',
      '/api/data/extract_runs/{runId}',
      '/api/data/extracts',
      '/api/data/extracts/{id}',
      '/api/data/restore_logs',
      '/api/data/restore_runs',
      '/api/data/restore_runs/{runId}',
      '/api/data/restores',
      '/api/data/restores/{id}',
      '/api/data/snapshot_restores',
      '/api/databases/{service}/swap-back',
      '/api/drills',
      '/api/drills/schedules',
      '/api/drills/schedules/{subject}',
      '/api/extracts/runs/{runId}/download',
      '/api/extracts/{id}/cancel',
      '/api/extracts/{id}/run',
      '/api/restores',
      '/api/restores/import',
      '/api/restores/{id}/cancel',
      '/api/restores/{id}/pause',
      '/api/restores/{id}/resume',
      '/api/restores/{id}/run',
      '/api/runs/{runId}',
      '/api/runs/{runId}/cancel',
      '/api/runs/{runId}/decide',
      '/api/runs/{runId}/events',
      '/api/runs/{runId}/pause',
      '/api/runs/{runId}/resume',
      '/api/runs/{runId}/undo',
      '/api/services',
      '/api/snapshots',
      '/api/snapshots/{id}',
      '/api/snapshots/{id}/cancel',
      '/api/snapshots/{id}/diff',
      '/api/snapshots/{id}/order',
      '/api/snapshots/{id}/selections',
      '/api/snapshots/{id}/validate',
      '/api/systems',
      '/api/systems/{name}/restore',
      '/api/uploads',
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
    // Whoever tries a route on the page reads there what its fields are.
    for (const name of ['RestoreCreation', 'BundleInput', 'RestoreInput']) {
      const { properties, example } = json.components.schemas[name];
      const { source_type: _, ...others } = properties as Record<string, { description?: string }>;
      const silent = Object.entries(others).filter(([, { description }]) => description === undefined);
      expect([name, silent.map(([field]) => field)]).toEqual([name, []]);
      expect([name, Object.keys(example ?? {})]).not.toEqual([name, []]);
    }
    const parameters = Object.values<
      Record<string, { parameters?: { name: string; description?: string }[] }>
    >(json.paths).flatMap((methods) => Object.values(methods).flatMap((method) => method.parameters ?? []));
    expect(parameters.filter(({ description }) => description === undefined).map(({ name }) => name)).toEqual(
      [],
    );
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

describe('the page to try it', () => {
  it('is served whole from here, for a browser that loads nothing from elsewhere', async () => {
    const page = await send('/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const parts = [...String(page.json).matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, part]) => part ?? '');
    expect(parts).toHaveLength(3);
    for (const part of parts) {
      const { status, headers, json } = await send(part);
      expect({ part, status }).toEqual({ part, status: 200 });
      expect(headers.get('content-type')).toMatch(part.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
      expect(String(json).length).toBeGreaterThan(50);
    }
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

describe('an error that nobody foresaw', () => {
  it('is 500, tells nothing, and is logged once with its request', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const authenticator = {
      authenticate: async () => {
        throw new Error('password=hunter2');
      },
    };
    const { status, json, headers } = await send('/api/runs/x', {}, { authenticator, logger });
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
    env: { ...tokenEnv, THAW_DATABASE_URL: 'postgres://thaw@127.0.0.1:1/thaw' },
    port: 0,
    // Nothing listens on port 1.
    temporal: openTemporal({ TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    taskQueue: 'none',
    logger: pino({ enabled: false }),
  };

  it.each([
    ['nothing to check tokens with', {}, 'THAW_JWT_SECRET'],
    ['a short secret', { THAW_JWT_SECRET: 'too short' }, 'THAW_JWT_SECRET'],
    [
      'keys and no issuer',
      { THAW_JWKS: 'https://id.example/jwks', THAW_JWT_AUDIENCE: 'thaw' },
      'THAW_JWT_ISSUER',
    ],
    [
      'keys and no audience',
      { THAW_JWKS: 'https://id.example/jwks', THAW_JWT_ISSUER: 'id' },
      'THAW_JWT_AUDIENCE',
    ],
    ['keys over plain http', { THAW_JWKS: 'http://id.example/jwks' }, 'THAW_JWKS'],
    ['a file of keys that is not there', { THAW_JWKS: '/nowhere/jwks.json' }, 'THAW_JWKS'],
    ['bundles going nowhere', { ...tokenEnv, THAW_BUNDLE_DATABASE: 'nowhere' }, 'THAW_BUNDLE_DATABASE'],
    ['an endless skew', { ...tokenEnv, THAW_JWT_CLOCK_SKEW: '86400' }, 'THAW_JWT_CLOCK_SKEW'],
  ])('does not start with %s', async (_, env, object) => {
    await expect(startApi({ ...options, env })).rejects.toMatchObject({ code: 'ConfigInvalid', object });
  });

  it('needs a control database', async () => {
    const refusals = [{}, { THAW_DATABASE_URL: '' }, { THAW_DATABASE_URL: 'mysql://thaw' }];
    for (const env of refusals) {
      await expect(startApi({ ...options, env: { ...tokenEnv, ...env } })).rejects.toMatchObject({
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
    const headers = { authorization: await testAuthorization() };
    const run = await fetch(`${api.url}/api/runs/x`, { headers });
    await api.close();
    expect(ready.status).toBe(503);
    expect(run.status).toBe(503);
    expect(await run.json()).toMatchObject({ error_code: 'SERVICE_UNAVAILABLE' });
  });
});
