import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningApi, startApi } from '../../src/api/server.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import { chromium, openPage, type Page } from '../harness/browser.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { testToken, tokenEnv } from '../harness/token.ts';
import { testConfig } from './fake-restores.ts';

describe.skipIf(chromium === undefined)('/docs in a browser', () => {
  let database: TestDatabase;
  let api: RunningApi;
  let page: Page;

  beforeAll(async () => {
    database = await createTestDatabase('docs_page');
    api = await startApi({
      config: testConfig,
      env: { ...tokenEnv, THAW_DATABASE_URL: database.url },
      port: 0,
      // Nothing listens on port 1.
      temporal: openTemporal({ TEMPORAL_ADDRESS: '127.0.0.1:1' }),
      taskQueue: 'none',
      logger: pino({ enabled: false }),
    });
    page = await openPage();
    await page.open(`${api.url}/docs`);
    await page.until(`document.querySelectorAll('.opblock').length > 0`);
  });

  afterAll(async () => {
    await page?.close();
    await api?.close();
    await database?.drop();
  });

  test('shows every route, loads nothing from elsewhere, and says nothing is wrong', async () => {
    const { paths } = (await (await fetch(`${api.url}/openapi.json`)).json()) as {
      paths: Record<string, object>;
    };
    const routes = Object.values(paths).flatMap((path) => Object.keys(path));
    expect(await page.read(`document.querySelectorAll('.opblock').length`)).toBe(routes.length);
    const responses = page.events.filter(({ method }) => method === 'Network.responseReceived');
    const got = responses.map(({ params }) => params.response as { url: string; status: number });
    expect(
      got.filter(({ url, status }) => status !== 200 || !/^(data:|http:\/\/127\.0\.0\.1:)/.test(url)),
    ).toEqual([]);
    expect(got.map(({ url }) => url)).toContain(`${api.url}/openapi.json`);
    const complaints = ['Log.entryAdded', 'Runtime.exceptionThrown', 'Network.loadingFailed'];
    expect(page.events.filter(({ method }) => complaints.includes(method))).toEqual([]);
  });

  test('what it fills in can be sent as it stands, with a token', async () => {
    const token = await testToken({ access: 'full' });
    await page.read(`document.querySelector('.auth-wrapper .authorize').click()`);
    await page.until(`document.querySelector('.auth-container input')`);
    await page.read(`{
      const field = document.querySelector('.auth-container input');
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, '${token}');
      field.dispatchEvent(new Event('input', { bubbles: true }));
      document.querySelector('.auth-container button[type=submit]').click();
    }`);
    await page.until(`document.querySelector('.auth-container .btn-done')`);
    await page.read(`document.querySelector('.auth-container .btn-done').click()`);

    const answers: Record<string, string> = {};
    for (const route of ['post /api/data/restores', 'get /api/data/restores', 'post /api/data/extracts']) {
      const [method, path] = route.split(' ');
      const place = `[...document.querySelectorAll('.opblock-${method}')]
        .find((block) => block.querySelector('.opblock-summary-path').dataset.path === '${path}')`;
      await page.read(`${place}.querySelector('.opblock-summary-control').click()`);
      await page.until(`${place}.querySelector('.btn.execute')`);
      await page.read(`${place}.querySelector('.btn.execute').click()`);
      const status = `${place}.querySelector('.live-responses-table .response .response-col_status')`;
      await page.until(status);
      answers[route] = (await page.read<string>(`${status}.innerText`)).slice(0, 3);
    }
    expect(answers).toEqual(
      Object.fromEntries(
        Object.keys(answers).map((route) => [route, route.startsWith('post') ? '201' : '200']),
      ),
    );
  });
});
