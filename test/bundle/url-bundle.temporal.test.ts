import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleFixture, recordsOf } from './bundle-fixture.ts';
import { type BundleSite, createBundleSite } from './bundle-site.ts';
import { makeZip } from './zip-writer.ts';

const files = {
  'describe.yaml': 'notes: { fields: { title: { type: text } } }',
  'notes.jsonl': '{"id":"00000000-0000-0000-0000-000000000001","title":"from afar"}\n',
};
const asked: IncomingMessage[] = [];
let site: BundleSite;
let place: string;

const server = createServer((request, response) => {
  asked.push(request);
  void packageOf(request.url ?? '').then((bytes) => response.end(bytes));
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = { THAW_URL_ALLOW: place, THAW_URL_TOKEN_PACKAGES: 'package-token', THAW_SECRET: 'never sent' };
  site = await createBundleSite('urls', 'worker', { env });
});

afterAll(async () => {
  await site.close();
  server.close();
});

async function packageOf(path: string): Promise<Buffer> {
  if (!path.endsWith('.gz')) return makeZip(files);
  const pack = tar.pack();
  for (const [name, text] of Object.entries(files)) pack.entry({ name: `package-1.0.0/${name}` }, text);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

async function restored(url: string, tokenVariable: string | null, namespace: string) {
  return site.restore(files, { namespace, source: { kind: 'url', url, tokenVariable } });
}

test.each([
  ['zip', '/notes.zip'],
  ['tar', '/notes.tar.gz'],
])('a bundle at a URL is brought into the store and restored: %s', async (namespace, path) => {
  const run = await restored(`http://${place}${path}`, 'THAW_URL_TOKEN_PACKAGES', namespace);
  expect(run).toMatchObject({
    status: 'completed',
    error: null,
    counts: { recordsImported: 1, modelsCreated: 1 },
  });
  expect(await site.rows(`select title from ${namespace}.notes`)).toEqual([{ title: 'from afar' }]);
  expect(asked.at(-1)?.headers.authorization).toBe('Bearer package-token');
  // It is removed in time, like an upload.
  const kept = await site.rows(
    `select key, bytes > 0 as whole from thaw_api.uploads where created_by = '${run.id}'`,
  );
  expect(kept).toEqual([
    { key: expect.stringMatching(/^archives\/\.thaw\/fetched\/[0-9a-f]{32}\.zip$/), whole: true },
  ]);
  expect(await site.thaw.bucket.keys()).toContain(kept[0]?.key);
});

test('an object of the configured bucket is one, too', async () => {
  const { bucket } = site.thaw.bucket;
  await site.thaw.bucket.put('packages/notes 1.zip', await makeZip(files));
  expect(await restored(`s3://${bucket}/packages/notes%201.zip`, null, 'object')).toMatchObject({
    status: 'completed',
  });
  expect(await site.rows('select title from object.notes')).toEqual([{ title: 'from afar' }]);
});

test('so are files that lie unpacked below one prefix, as they were when they were listed', async () => {
  const { bucket } = site.thaw.bucket;
  const slack = await bundleFixture('slack');
  for (const [name, text] of Object.entries({ ...slack, 'notes.txt': 'x', 'old/users.jsonl': '{' })) {
    await site.thaw.bucket.put(`unpacked/slack/${name}`, Buffer.from(text));
  }
  expect(await restored(`s3://${bucket}/unpacked/slack/`, null, 'unpacked')).toMatchObject({
    status: 'completed',
    counts: { recordsImported: 19, modelsCreated: 4 },
  });
  const content = await site.rows('select content from unpacked.messages order by id');
  expect(content).toEqual(recordsOf(slack['messages.jsonl'] ?? '').map(({ content }) => ({ content })));
  expect(await restored(`s3://${bucket}/unpacked/`, null, 'refused')).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('below its prefix is neither describe.yaml nor {model}.jsonl'),
  });
});

test.each([
  ['a private address', 'https://127.0.0.1:1/x.zip', null, 'private network'],
  ['another bucket', 's3://other/x.zip', null, 'the bucket other is not allowed'],
  [
    'what Thaw keeps for others',
    's3://{bucket}/archives/.thaw/uploads/x.zip',
    null,
    'is not read by its key',
  ],
  ['a variable that is no token', 'http://{place}/x.zip', 'THAW_SECRET', 'THAW_SECRET: is not set'],
  [
    'a token that is not there',
    'http://{place}/x.zip',
    'THAW_URL_TOKEN_NONE',
    'THAW_URL_TOKEN_NONE: is not set',
  ],
  ['a local file', 'file:///etc/passwd', null, 'only https and s3'],
])('%s is refused, and nothing is made', async (_, url, token, message) => {
  const before = asked.length;
  const where = url.replace('{bucket}', site.thaw.bucket.bucket).replace('{place}', place);
  const run = await restored(where, token, 'refused');
  expect(run).toMatchObject({ status: 'failed', error: expect.stringContaining(message) });
  expect(asked.length).toBe(before);
  expect(await site.rows("select from pg_namespace where nspname = 'refused'")).toEqual([]);
});
