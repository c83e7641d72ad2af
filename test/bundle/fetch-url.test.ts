import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type FetchOptions, fetchUrl } from '../../src/bundle/fetch-url.ts';
import { isPublicAddress } from '../../src/bundle/public-address.ts';
import { AllowedPlaces, parseSourceUrl, tokenVariable } from '../../src/bundle/source-url.ts';

const signal = new AbortController().signal;

/** A server of this machine: its URL, and what it was asked for. */
async function serve(listener: RequestListener): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function got(url: string, changes: Partial<FetchOptions> = {}): Promise<string> {
  const options = {
    allowed: new AllowedPlaces(new URL(url).host),
    token: null,
    limit: 1000,
    signal,
    ...changes,
  };
  const { chunks } = await fetchUrl(new URL(url), options);
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

async function refusal(url: string, changes: Partial<FetchOptions> = {}): Promise<string> {
  const error = await got(url, changes).then(
    () => null,
    (reason: unknown) => reason,
  );
  const { code, message } = error as { code: string; message: string };
  return `${code} ${message}`;
}

describe('what may be asked', () => {
  test.each([
    ...['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    ...[
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      '::',
      'fd00::1',
      'fe80::1',
      '::ffff:10.0.0.1',
      '::ffff:8.8.8.8',
    ],
    ...['64:ff9b::a00:1', '2002:a00:1::', 'ff02::1', '::7f00:1', 'no address', ''],
  ])('%s is no public address', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111'])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '/etc/passwd',
    'file:///etc/passwd',
    'http://example.org/x.zip',
    'ftp://example.org/x.zip',
    'data:application/zip;base64,AAAA',
    'https://user:secret@example.org/x.zip',
    's3://bucket',
    's3://bucket/',
    's3://bucket/%zz',
    'x.zip',
    '',
  ])('%j is no URL of a bundle', (url) => {
    expect(() => parseSourceUrl(url, new AllowedPlaces('127.0.0.1'))).toThrow(/the URL of the bundle/);
  });

  test('https and S3 URLs are', () => {
    const nothing = new AllowedPlaces(undefined);
    expect(parseSourceUrl('https://example.org/a.zip?x=1', nothing)).toMatchObject({ kind: 'http' });
    expect(parseSourceUrl('s3://bucket/a%20b/c.zip', nothing)).toEqual({
      kind: 's3',
      bucket: 'bucket',
      key: 'a b/c.zip',
    });
    expect(tokenVariable('GITHUB')).toBe('THAW_URL_TOKEN_GITHUB');
    for (const name of ['', 'github', 'A B', '../X']) expect(() => tokenVariable(name)).toThrow(/token/);
  });
});

describe('a URL', () => {
  test.each([
    'https://127.0.0.1:1/x',
    'https://localhost:1/x',
    'https://[::1]:1/x',
    'https://2130706433:1/x',
    'https://0x7f.1:1/x',
    'https://[::ffff:127.0.0.1]:1/x',
  ])('%s is refused: a private network, however it is written', async (url) => {
    expect(await refusal(url, { allowed: new AllowedPlaces('') })).toMatch(
      /^InputInvalid .* private network/,
    );
  });

  test('is read, with its token, from a host that is allowed', async () => {
    const { url, asked } = await serve((_, response) => response.end('PK'));
    expect(await got(`${url}/x.zip`, { token: 'secret' })).toBe('PK');
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret']);
  });

  test('leads on, each step checked again, and the token stays with its host', async () => {
    const end = await serve((_, response) => response.end('end'));
    const first = await serve((_, response) => response.writeHead(302, { location: `${end.url}/x` }).end());
    const both = new AllowedPlaces([first, end].map(({ url }) => new URL(url).host).join(', '));
    expect(await got(first.url, { token: 'secret', allowed: both })).toBe('end');
    expect(end.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(await refusal(first.url)).toMatch(/^InputInvalid .* private network/);

    for (const location of [
      'https://169.254.169.254/latest',
      'https://localhost/',
      'file:///etc/passwd',
      'https://a:b@example.org/',
      '//[',
      '',
    ]) {
      const bad = await serve((_, response) => response.writeHead(307, { location }).end());
      expect(await refusal(bad.url)).toMatch(/^InputInvalid /);
      expect(bad.asked.length).toBeLessThanOrEqual(6);
    }
    const circle = await serve((_, response) => response.writeHead(302, { location: '/' }).end());
    expect(await refusal(circle.url)).toMatch(/more than 5 times/);
  });

  test('gives no more than the limit, said or not', async () => {
    const { url } = await serve(({ url: path }, response) => {
      if (path === '/said') response.setHeader('content-length', 1001);
      response.write(Buffer.alloc(600));
      response.end(Buffer.alloc(401));
    });
    expect(await refusal(`${url}/said`)).toMatch(/^InputInvalid .*larger than 1000 bytes/);
    expect(await refusal(`${url}/unsaid`)).toMatch(/^InputInvalid .*larger than 1000 bytes/);
    expect(await got(`${url}/unsaid`, { limit: 1001 })).toHaveLength(1001);
  });

  test.each([
    [404, 'InputInvalid'],
    [401, 'InputInvalid'],
    [304, 'InputInvalid'],
    [429, 'StoreUnavailable'],
    [503, 'StoreUnavailable'],
  ])('that answers %d is %s', async (status, code) => {
    const { url } = await serve((_, response) => response.writeHead(status).end());
    const told = await refusal(`${url}/path?token=hidden`);
    expect(told).toContain(`${code} the URL of the bundle: ${new URL(url).host} answered ${status}`);
    expect(told).not.toContain('hidden');
  });

  test('that breaks off, or is not there, is tried again', async () => {
    const { url } = await serve((_, response) => {
      response.setHeader('content-length', 100);
      response.write('PK', () => response.destroy());
    });
    expect(await refusal(url)).toMatch(/^StoreUnavailable /);
    expect(await refusal('http://127.0.0.1:1/x')).toMatch(/^StoreUnavailable .*ECONNREFUSED/);
  });
});
