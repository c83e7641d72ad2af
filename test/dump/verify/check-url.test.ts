import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkUrl } from '../../../src/dump/verify/check-url.ts';

let server: Server;
let base: string;
let answers: number[];

beforeAll(async () => {
  const answer: RequestListener = (request, response) => {
    const { pathname } = new URL(request.url ?? '', base);
    if (pathname === '/moved') return response.writeHead(302, { location: '/api/health' }).end();
    if (pathname === '/round') return response.writeHead(302, { location: '/round' }).end();
    if (pathname === '/silent') return undefined;
    return response.writeHead(answers.shift() ?? 204).end('secret');
  };
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (path: string, seconds = 5, signal = new AbortController().signal) =>
  checkUrl({ url: `${base}${path}`, number: 2, seconds, signal });

test('an endpoint is asked until it answers with success, by redirects too', async () => {
  answers = [503, 500];
  const { host } = new URL(base);
  expect(await ask('/moved?token=abc')).toEqual({
    name: `url 2 (${host})`,
    outcome: 'passed',
    detail: 'It answers with success, at try 3.',
  });
});

test('an endpoint that does not come up fails with what it said last, and no more', async () => {
  answers = Array.from({ length: 20 }, () => 503);
  expect(await ask('/api/health', 1)).toMatchObject({
    outcome: 'failed',
    detail: expect.stringMatching(/^It answers 503 \(tried \d times in 1 s\)\.$/),
  });
  expect(await ask('/round', 0)).toMatchObject({
    outcome: 'failed',
    detail: expect.stringMatching(/more than 5/),
  });
  const closed = await checkUrl({
    url: 'http://127.0.0.1:1/?token=abc',
    number: 1,
    seconds: 0,
    signal: new AbortController().signal,
  });
  expect(closed).toEqual({
    name: 'url 1 (127.0.0.1:1)',
    outcome: 'failed',
    detail: 'It cannot be reached: ECONNREFUSED (tried once in 0 s).',
  });
});

test('what is no URL over HTTP fails without being asked, and waiting can be given up', async () => {
  for (const url of ['file:///etc/passwd', 'localhost:3001/health', 'nothing']) {
    const check = await checkUrl({ url, number: 1, signal: new AbortController().signal });
    expect(check).toMatchObject({ name: 'url 1', outcome: 'failed' });
  }
  const giveUp = new AbortController();
  const asked = ask('/silent', 60, giveUp.signal);
  giveUp.abort(new Error('given up'));
  await expect(asked).rejects.toThrow('given up');
});
