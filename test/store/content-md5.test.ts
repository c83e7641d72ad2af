import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { storeBefore } from './fake-s3.ts';

test('gives what is put its MD5 where the bucket asks for it, parts of an upload too', async () => {
  const puts: { url: string; md5: string; own: string }[] = [];
  const store = await storeBefore(
    async (request, response) => {
      const body = await bytesOf(request);
      const url = new URL(request.url ?? '', 'http://x');
      if (request.method === 'PUT') {
        const own = createHash('md5').update(body).digest('base64');
        puts.push({ url: `${url.pathname}${url.search}`, md5: String(request.headers['content-md5']), own });
        response.setHeader('etag', '"part"');
        response.end();
        return;
      }
      const isBegin = url.searchParams.has('uploads');
      response.end(
        isBegin
          ? '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>'
          : '<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>',
      );
    },
    { contentMd5: true },
  );
  await store.write('small', Buffer.from('a'), 'text/plain');
  await store.writeStream('one-part', chunks(1), 'text/plain');
  await store.writeStream('parts', chunks(9), 'text/plain');
  expect(puts.map(({ url }) => url.split('?')[0])).toEqual([
    '/bucket/small',
    '/bucket/one-part',
    '/bucket/parts',
    '/bucket/parts',
  ]);
  for (const { md5, own } of puts) expect(md5).toBe(own);
});

/** So many MiB. */
async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(1024 * 1024, index);
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
