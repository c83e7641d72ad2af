import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test, vi } from 'vitest';
import { storeBefore } from './fake-s3.ts';
import { bytesOf } from './object-store-suite.ts';

function refuse(response: ServerResponse, status: number, code: string, more = ''): void {
  response.writeHead(status).end(`<Error><Code>${code}</Code>${more}</Error>`);
}

test('waits at least 250 ms, then longer, while the store asks for fewer requests', async () => {
  const times: number[] = [];
  const store = await storeBefore((_, response) => {
    times.push(performance.now());
    if (times.length <= 2) refuse(response, 503, 'SlowDown');
    else response.writeHead(200, { 'content-length': 5, etag: '"tag"' }).end('hello');
  });
  expect((await bytesOf(await store.open('x'))).toString()).toBe('hello');
  const [first = 0, second = 0, third = 0] = times;
  expect(second - first).toBeGreaterThanOrEqual(245);
  expect(third - second).toBeGreaterThanOrEqual(490);
});

test('gives a listing up as StoreThrottled when the store goes on asking', async () => {
  const store = await storeBefore((_, response) => refuse(response, 503, 'SlowDown'));
  await expect(store.list({ prefix: '' })).rejects.toMatchObject({ code: 'StoreThrottled', retryable: true });
});

test('refuses a server that lists out of order instead of losing objects', async () => {
  const keys = ['t/b', 't/a'].map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('');
  const store = await storeBefore((_, response) => {
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${keys}</ListBucketResult>`);
  });
  await expect(store.list({ prefix: 't/' })).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: 's3://bucket: lists its keys out of order (t/a)',
  });
});

test('refuses another object than the listed one from a server that passes over If-Match', async () => {
  const store = await storeBefore((_, response) => {
    response.writeHead(200, { 'content-length': 5, etag: '"new"' }).end('hello');
  });
  await expect(store.open('x', { etag: 'old' })).rejects.toMatchObject({ code: 'ArchiveChanged' });
});

test('never takes the beginning of an object for its continuation', async () => {
  const asked: (string | undefined)[] = [];
  const store = await storeBefore((request: IncomingMessage, response) => {
    asked.push(request.headers.range);
    // A server that knows no ranges; the first connection breaks.
    response.writeHead(200, { 'content-length': 10, etag: '"tag"' });
    if (asked.length > 1) response.end('0123456789');
    else response.write('01234', () => response.destroy());
  });
  const signal = AbortSignal.timeout(2_000);
  await expect(store.open('x', { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(asked.slice(0, 2)).toEqual([undefined, 'bytes=5-']);
});

test('goes on with the same entity tag and by range', async () => {
  const asked: unknown[] = [];
  const store = await storeBefore(({ headers }, response) => {
    asked.push([headers.range, headers['if-match']]);
    if (asked.length === 1) {
      response.writeHead(200, { 'content-length': 10, etag: '"tag"' });
      response.write('01234', () => response.destroy());
      return;
    }
    response
      .writeHead(206, { 'content-length': 5, 'content-range': 'bytes 5-9/10', etag: '"tag"' })
      .end('56789');
  });
  expect((await bytesOf(await store.open('x'))).toString()).toBe('0123456789');
  expect(asked).toEqual([
    [undefined, undefined],
    ['bytes=5-', '"tag"'],
  ]);
});

test('takes the time of the store when its own clock is wrong', async () => {
  const ahead = 3_600_000;
  const dates: string[] = [];
  const store = await storeBefore(({ headers }, response) => {
    dates.push(String(headers['x-amz-date']));
    response.setHeader('date', new Date(Date.now() + ahead).toUTCString());
    if (dates.length === 1) refuse(response, 403, 'RequestTimeTooSkewed');
    else response.writeHead(200, { 'content-length': 2, etag: '"t"' }).end('ok');
  });
  expect(Buffer.from((await store.read('x')) ?? []).toString()).toBe('ok');
  const [first = 0, second = 0] = dates.map((date) =>
    Date.parse(date.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5')),
  );
  expect(Math.abs(second - first - ahead)).toBeLessThan(5_000);
});

test('says how to thaw a frozen object, and never takes it for one that is not there', async () => {
  const store = await storeBefore((_, response) => refuse(response, 403, 'InvalidObjectState'));
  const frozen = {
    code: 'ArchiveFrozen',
    message:
      's3://bucket/a/b: is frozen in an archive storage class and cannot be read yet (403 InvalidObjectState)',
    hint: expect.stringContaining(
      "aws s3api restore-object --bucket bucket --key 'a/b' --restore-request Days=7",
    ),
  };
  await expect(store.open('a/b')).rejects.toMatchObject(frozen);
  // Metadata that is frozen must not pass for none: what it holds would not be checked.
  await expect(store.read('a/b')).rejects.toMatchObject(frozen);
});

test('names the region that a bucket is in', async () => {
  const store = await storeBefore((_, response) => {
    response.setHeader('x-amz-bucket-region', 'eu-central-1');
    refuse(response, 301, 'PermanentRedirect');
  });
  await expect(store.open('x')).rejects.toMatchObject({
    code: 'ConfigInvalid',
    hint: 'Set s3.region to eu-central-1; where the environment names the bucket, AWS_S3_REGION.',
  });
});

test('reads an object whose connection broke before anybody read it', async () => {
  const bytes = Buffer.alloc(5_000_000, 'abc');
  let closed = 0;
  const store = await storeBefore(({ headers, socket }, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    const length = { 'content-length': bytes.length - from, etag: '"t"' };
    response.writeHead(from > 0 ? 206 : 200, from > 0 ? { ...length, ...range } : length);
    socket.on('close', () => {
      closed += 1;
    });
    if (closed > 0) response.end(bytes.subarray(from));
    else response.write(bytes.subarray(0, 1_000), () => response.destroy());
  });
  const body = await store.open('x');
  await vi.waitFor(() => expect(closed).toBe(1));
  expect((await bytesOf(body)).equals(bytes)).toBe(true);
});

test('lets many reads hang on one signal', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const store = await storeBefore((_, response) => {
    response.writeHead(200, { 'content-length': 5_000_000, etag: '"t"' }).write('x');
  });
  const controller = new AbortController();
  const bodies = await Promise.all(
    Array.from({ length: 20 }, () => store.open('x', { signal: controller.signal })),
  );
  controller.abort(new Error('cancelled'));
  for (const body of bodies) await expect(bytesOf(body)).rejects.toThrow('cancelled');
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
