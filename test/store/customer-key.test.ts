import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { GetSigner } from '../../src/store/sigv4.ts';
import { storeBefore } from './fake-s3.ts';

const key = Buffer.from('0123456789abcdef0123456789abcdef');
const customerKey = key.toString('base64');
const expected = {
  'x-amz-server-side-encryption-customer-algorithm': 'AES256',
  'x-amz-server-side-encryption-customer-key': customerKey,
  'x-amz-server-side-encryption-customer-key-md5': createHash('md5').update(key).digest('base64'),
};

/** What AWS answers to a request for such an object without its key, or with another one. */
const unreadable = { missing: [400, 'InvalidRequest'], wrong: [403, 'AccessDenied'] } as const;

interface Seen {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly isSigned: boolean;
}

/** Whether a GET carries the signature that its own headers, signed anew, give. */
function isSigned({ headers, url = '' }: IncomingMessage): boolean {
  const signed = /SignedHeaders=([^,]*)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  const extra = Object.fromEntries(
    signed.filter((name) => name.includes('customer')).map((name) => [name, String(headers[name])]),
  );
  const time = String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5');
  const keys = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const again = new GetSigner('us-east-1').headers(headers.host ?? '', url, keys, new Date(time), extra);
  return again.authorization === headers.authorization && Object.keys(extra).length === 3;
}

async function storeThatWants(given: string | null, wanted = customerKey) {
  const seen: Seen[] = [];
  const store = await storeBefore(
    (request, response) => {
      const { headers, method = '' } = request;
      seen.push({ method, headers, isSigned: isSigned(request) });
      request.resume();
      const got = headers['x-amz-server-side-encryption-customer-key'];
      if (got === wanted) {
        const body = method === 'PUT' ? '' : 'hello';
        response.writeHead(200, { 'content-length': body.length, etag: '"t"' }).end(body);
      } else {
        const [status, code] = got === undefined ? unreadable.missing : unreadable.wrong;
        response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`);
      }
    },
    { encryption: given === null ? null : { customerKey: given } },
  );
  return { store, seen };
}

test('reads by the key of SSE-C, whose headers are signed', async () => {
  const { store, seen } = await storeThatWants(customerKey);
  expect(Buffer.from((await store.read('a b')) ?? []).toString()).toBe('hello');
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ method: 'GET', headers: expected, isSigned: true });
});

test('writes by the key of SSE-C too', async () => {
  const { store, seen } = await storeThatWants(customerKey);
  await store.write('w', Buffer.from('{}'), 'application/json');
  expect(seen[0]).toMatchObject({ method: 'PUT', headers: expected });
  expect(seen[0]?.headers['x-amz-server-side-encryption']).toBeUndefined();
});

test('says where to look without the key, and with a wrong one, and shows neither', async () => {
  const without = await (await storeThatWants(null)).store.read('x').catch((error: unknown) => error);
  expect(without).toMatchObject({ code: 'ConfigInvalid', hint: expect.stringContaining('SSE-C') });
  const other = Buffer.alloc(32, 'z').toString('base64');
  const wrong = await (await storeThatWants(other)).store.read('x').catch((error: unknown) => error);
  expect(wrong).toMatchObject({ code: 'PermissionDenied', hint: expect.stringContaining('SSE-C') });
  expect(JSON.stringify([wrong, String(wrong)])).not.toContain(other);
});
