import { expect, test } from 'vitest';
import { configuredRateLimit, RateLimit } from '../../src/api/rate-limit.ts';
import { post, read, testApp } from './fake-restores.ts';

test('starts are limited by tenant, and come back evenly', () => {
  let now = 0;
  const limit = new RateLimit(6, () => now);
  for (let start = 0; start < 6; start += 1) limit.take('a');
  expect(() => limit.take('a')).toThrow(expect.objectContaining({ headers: { 'Retry-After': '10' } }));
  limit.take('b');
  now = 9_900;
  expect(() => limit.take('a')).toThrow(expect.objectContaining({ headers: { 'Retry-After': '1' } }));
  now = 10_000;
  limit.take('a');
  expect(() => limit.take('a')).toThrow();
  now = 10_000_000;
  for (let start = 0; start < 6; start += 1) limit.take('a');
  expect(() => limit.take('a')).toThrow();
});

test('too many starts are 429 with Retry-After, start nothing, and keep nobody from looking', async () => {
  let begun = 0;
  const preview = async () => {
    begun += 1;
    return [];
  };
  const app = testApp({ preview, rateLimit: new RateLimit(2) });
  // A dry run, as that needs no control database.
  const body = { database: 'production_db', restore_all: true, dry_run: true };
  const start = async () => read(await app.request('/api/restores', post(body)));
  expect([(await start()).status, (await start()).status]).toEqual([200, 200]);
  const refused = await start();
  expect(refused).toMatchObject({ status: 429, json: { success: false, error_code: 'TOO_MANY_REQUESTS' } });
  expect(refused.headers.get('retry-after')).toBe('30');
  expect(begun).toBe(2);
  expect((await app.request('/openapi.json')).status).toBe(200);
});

test('THAW_STARTS_PER_MINUTE must be a number', () => {
  expect(() => configuredRateLimit({})).not.toThrow();
  for (const value of ['0', '-1', 'many', '1.5']) {
    expect(() => configuredRateLimit({ THAW_STARTS_PER_MINUTE: value })).toThrow(/THAW_STARTS_PER_MINUTE/);
  }
});
