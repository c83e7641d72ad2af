import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sendWebhook, webhookOf } from '../../src/notify/webhook.ts';

let server: Server;
let base: string;
let status = 200;
const received: { headers: IncomingHttpHeaders; body: string }[] = [];
const { signal } = new AbortController();

beforeAll(async () => {
  server = createServer(async (request, response) => {
    received.push({ headers: request.headers, body: await text(request) });
    response.writeHead(status, { location: '/elsewhere' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const event = { event: 'drill.failed', id: 'drill-1/failed', body: { service: 'ärgus', rto_seconds: 12 } };
const webhook = () => {
  const found = webhookOf({ THAW_WEBHOOK_URL: `${base}/hook?key=hidden`, THAW_WEBHOOK_SECRET: 's3cret' });
  if (found === null) throw new Error('no webhook');
  return found;
};

test('an event is posted as JSON, signed over its time and body', async () => {
  const before = Math.floor(Date.now() / 1000);
  await sendWebhook(webhook(), event, signal);
  const { headers, body } = received.at(-1) ?? { headers: {}, body: '' };
  expect(JSON.parse(body)).toEqual({
    event: 'drill.failed',
    id: 'drill-1/failed',
    service: 'ärgus',
    rto_seconds: 12,
  });
  expect(headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'thaw-event': 'drill.failed',
    'thaw-delivery': 'drill-1/failed',
  });
  const [, seconds = '', signature] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['thaw-signature'])) ?? [];
  expect(Number(seconds)).toBeGreaterThanOrEqual(before);
  expect(signature).toBe(createHmac('sha256', 's3cret').update(`${seconds}.${body}`).digest('hex'));
});

test('what another try may mend is told apart from what it does not, and no path is told', async () => {
  const sent = received.length;
  for (const [answer, code] of [
    [503, 'StoreUnavailable'],
    [429, 'StoreUnavailable'],
    [302, 'ConfigInvalid'],
    [410, 'ConfigInvalid'],
  ] as const) {
    status = answer;
    const { host } = new URL(base);
    await expect(sendWebhook(webhook(), event, signal)).rejects.toMatchObject({
      code,
      message: `the webhook at ${host} answers ${answer}`,
    });
  }
  status = 200;
  expect(received.length).toBe(sent + 4);
  const closed = { url: new URL('http://127.0.0.1:1/x'), secret: 's' };
  await expect(sendWebhook(closed, event, signal)).rejects.toMatchObject({
    code: 'StoreUnavailable',
    message: 'the webhook at 127.0.0.1:1 cannot be reached: ECONNREFUSED',
  });
});

test('a webhook has a URL over HTTP and a secret, or there is none', () => {
  expect(webhookOf({})).toBe(null);
  expect(() => webhookOf({ THAW_WEBHOOK_URL: base })).toThrow('THAW_WEBHOOK_SECRET is not set');
  expect(() => webhookOf({ THAW_WEBHOOK_URL: 'ftp://x/', THAW_WEBHOOK_SECRET: 's' })).toThrow(
    'no http or https',
  );
});
