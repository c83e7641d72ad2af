import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RateLimit, startsPerMinute } from '../../src/api/rate-limit.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { sayingAuthenticator } from './callers.ts';
import { type Answer, post, read, testApp } from './fake-restores.ts';

let database: TestDatabase;
let controls: ControlDatabase[];
/** Restores that any process has begun to look at. */
let begun: number;

beforeAll(async () => {
  database = await createTestDatabase('rate_limit');
  controls = [new ControlDatabase(database.url), new ControlDatabase(database.url)];
});

afterAll(async () => {
  await Promise.all(controls.map((control) => control.close()));
  await database.drop();
});

beforeEach(async () => {
  begun = 0;
  await controls[0]?.use((client) => client.query('truncate thaw_api.start_limits'));
});

/** Two processes of the API, as it were, each with connections of its own. */
function processes(perMinute: number) {
  const preview = async () => {
    begun += 1;
    return [];
  };
  return controls.map((control) =>
    testApp({
      control,
      preview,
      authenticator: sayingAuthenticator,
      rateLimit: new RateLimit(control, perMinute),
    }),
  );
}

async function start(app: ReturnType<typeof testApp> | undefined, tenant = 'a'): Promise<Answer | undefined> {
  const body = { database: 'production_db', restore_all: true, dry_run: true };
  const response = app?.request(
    '/api/restores',
    post(body, { authorization: `Bearer ${tenant}:full:public` }),
  );
  return response === undefined ? undefined : read(await response);
}

/** As if so much time had gone by. */
async function pass(interval: string): Promise<void> {
  await controls[0]?.use((client) =>
    client.query('update thaw_api.start_limits set back_at = back_at - $1::interval', [interval]),
  );
}

test('processes share the starts of a tenant, and those beyond start nothing', async () => {
  const apps = processes(4);
  const answers = await Promise.all([...apps, ...apps, ...apps, ...apps].map((app) => start(app)));
  expect(answers.map((answer) => answer?.status).sort()).toEqual([200, 200, 200, 200, 429, 429, 429, 429]);
  expect(begun).toBe(4);
  expect((await start(apps[1], 'b'))?.status).toBe(200);
  expect((await apps[0]?.request('/openapi.json'))?.status).toBe(200);
});

test('what is refused is told when to come again, and starts come back evenly', async () => {
  const [first, second] = processes(2);
  await start(first);
  await start(second);
  const refused = await start(first);
  expect(refused).toMatchObject({
    status: 429,
    json: {
      success: false,
      error: 'More than 2 starts in a minute.',
      error_code: 'TOO_MANY_REQUESTS',
      data: { hint: expect.stringMatching(/^Ask again in \d+ s\.$/) },
    },
  });
  const wait = Number(refused?.headers.get('retry-after'));
  expect(wait).toBeGreaterThan(20);
  expect(wait).toBeLessThanOrEqual(30);

  await pass('30 seconds');
  expect((await start(second))?.status).toBe(200);
  expect((await start(first))?.status).toBe(429);
  await pass('1 hour');
  expect([await start(first), await start(second), await start(first)].map((each) => each?.status)).toEqual([
    200, 200, 429,
  ]);
});

test('THAW_STARTS_PER_MINUTE must be a number', () => {
  expect(startsPerMinute({})).toBe(120);
  expect(startsPerMinute({ THAW_STARTS_PER_MINUTE: '7' })).toBe(7);
  for (const value of ['0', '-1', 'many', '1.5']) {
    expect(() => startsPerMinute({ THAW_STARTS_PER_MINUTE: value })).toThrow(/THAW_STARTS_PER_MINUTE/);
  }
});
