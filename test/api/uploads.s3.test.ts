import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { createAdaptorServer } from '@hono/node-server';
import tar from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { bundleSettings } from '../../src/api/bundle-settings.ts';
import { removeExpired } from '../../src/api/removal.ts';
import { findUpload, uploadIdOf } from '../../src/api/uploads.ts';
import { openBundle } from '../../src/bundle/bundle.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { openStore } from '../../src/store/open-store.ts';
import { bytesOf, makeZip, replaced } from '../bundle/zip-writer.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { createTestBucket, type TestBucket } from '../harness/s3.ts';
import { sayingAuthenticator, someone } from './callers.ts';
import { type Answer, read, testApp, testConfig } from './fake-restores.ts';

let spools: string;
let database: TestDatabase;
let bucket: TestBucket;
let control: ControlDatabase;
let config: ReturnType<typeof parseConfig>;
let store: ReturnType<typeof openStore>;
let zip: Buffer;
const bundles = { ...bundleSettings(testConfig, {}), uploadLimit: 200_000, bodyPatience: 0.3 };
const files = {
  'describe.yaml': 'users: { fields: { email: { type: text } } }',
  'users.jsonl': '{"id":1}\n',
};

beforeAll(async () => {
  spools = mkdtempSync(path.join(tmpdir(), 'thaw-uploads-'));
  vi.stubEnv('TMPDIR', spools);
  database = await createTestDatabase('uploads');
  bucket = await createTestBucket();
  control = new ControlDatabase(database.url);
  config = parseConfig(
    JSON.stringify({
      version: '1.0',
      s3: {
        ...{ endpoint: bucket.endpoint, bucket: bucket.bucket, prefix: 'archives', region: bucket.region },
        ...{ access_key_id: bucket.accessKeyId, secret_access_key: bucket.secretAccessKey },
      },
      databases: [{ name: 'db', host: '127.0.0.1', user: 'thaw', password: 'x', tables: [{ name: 't' }] }],
    }),
    'test.yaml',
    {},
  );
  store = openStore(config.store, {});
  zip = await makeZip(files);
});

afterAll(async () => {
  store.close();
  await control.close();
  await database.drop();
  await bucket.remove();
  vi.unstubAllEnvs();
  rmSync(spools, { recursive: true });
});

afterEach(() => {
  expect(readdirSync(spools)).toEqual([]);
});

function app() {
  return testApp({ config, control, store, bundles, authenticator: sayingAuthenticator });
}

async function upload(
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const init = { method: 'POST', body, headers: { authorization: someone, ...headers }, duplex: 'half' };
  return read(await app().request('/api/uploads', init as RequestInit));
}

const raw = { 'content-type': 'application/zip' };

function form(content: Buffer, name = 'file', filename = 'My Data.zip'): FormData {
  const data = new FormData();
  data.append(name, new Blob([Uint8Array.from(content)]), filename);
  return data;
}

/** Uploads that are kept, by the control database. */
async function kept(): Promise<number> {
  const { rows } = await control.use((client) =>
    client.query('select id from thaw_api.uploads where removed_at is null'),
  );
  return rows.length;
}

/** Neither an object nor a row came to those that there were. */
async function expectNothingKept(before: number): Promise<void> {
  expect(await kept()).toBe(before);
  expect(await bucket.keys()).toHaveLength(before);
}

describe('a bundle', () => {
  test.each([
    ['as a form', () => upload(form(zip)), 'My Data.zip'],
    ['as a body', () => upload(Uint8Array.from(zip), raw), null],
    [
      'as a body with a name',
      () =>
        upload(Uint8Array.from(zip), {
          ...raw,
          'content-disposition': 'attachment; filename="../../etc/x.zip"',
        }),
      'x.zip',
    ],
  ])('sent %s is kept in the store under its id', async (_, send, filename) => {
    const { status, json } = await send();
    expect(status).toBe(201);
    const sha256 = createHash('sha256').update(zip).digest('hex');
    expect(json.data).toMatchObject({ filename, size: zip.length, sha256 });
    const id = String(json.data.id);
    expect(Buffer.from(await bucket.get(`archives/.thaw/uploads/${id}.zip`)).equals(zip)).toBe(true);
    const lifetime = Date.parse(String(json.data.expires_at)) - Date.parse(String(json.data.created_at));
    expect(lifetime).toBe(7 * 86_400_000);

    const find = (ref: string, tenant: string | null) =>
      control.use((client) => findUpload(client, ref, tenant));
    for (const ref of [id, String(json.data.source_ref)]) {
      expect(await find(ref, 'a')).toMatchObject({ id, tenant: 'a', sha256 });
      const other = find(ref, 'b');
      await expect(other).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' });
      expect(await find(ref, null)).toMatchObject({ id });
    }
  });

  test.each([['./'], ['export-2025-01-19/'], ['']])(
    'sent as .tar.gz below %j becomes a ZIP',
    async (folder) => {
      const { status, json } = await upload(Uint8Array.from(await tarOf(files, folder)), {
        'content-type': 'application/gzip',
      });
      expect({ status, error: json.error }).toEqual({ status: 201 });
      const stored = await bucket.get(`archives/.thaw/uploads/${json.data.id}.zip`);
      expect(createHash('sha256').update(stored).digest('hex')).toBe(json.data.sha256);
      const bundle = await openBundle(bytesOf(Buffer.from(stored)));
      expect((await bundle.readDescription())?.models.map(({ name }) => name)).toEqual(['users']);
      expect(bundle.files.map(({ name, bytes }) => ({ name, bytes }))).toEqual([
        { name: 'users.jsonl', bytes: 9 },
      ]);
    },
  );

  test('is removed when its time is over, unless a run needs it', async () => {
    const [first, second] = [await upload(form(zip)), await upload(form(zip))];
    const ids = [String(first.json.data.id), String(second.json.data.id)];
    const keys = ids.map((id) => `archives/.thaw/uploads/${id}.zip`);
    await control.use(async (client) => {
      await client.query(
        "update thaw_api.uploads set expires_at = now() - interval '1 s' where id = any ($1)",
        [ids],
      );
      await client.query(
        `insert into thaw_api.restore_runs (id, tenant, source_type, status, state, config_snapshot, request, created_by)
         values ('run-1', 'a', 'upload', 'running', 'running', '{}', $1, 'u')`,
        [{ sourceType: 'upload', bundle: { source: { kind: 'stored', key: keys[1] } } }],
      );
    });
    expect(await removeExpired(control, store)).toBe(1);
    expect((await bucket.keys()).filter((key) => keys.includes(key))).toEqual([keys[1]]);
    const ended = "update thaw_api.restore_runs set status = 'completed' where id = 'run-1'";
    await control.use((client) => client.query(ended));
    expect([await removeExpired(control, store), await removeExpired(control, store)]).toEqual([1, 0]);
    expect((await bucket.keys()).filter((key) => keys.includes(key))).toEqual([]);
  });
});

describe('refused, and nothing is kept:', () => {
  test.each([
    ['text', async () => Buffer.from('hello'), 'Invalid file'],
    ['an empty ZIP', async () => makeZip({}), 'Invalid file'],
    ['a ZIP without a model', async () => makeZip({ 'x.txt': 'x' }), 'Invalid file'],
    ['a cut ZIP', async () => zip.subarray(0, zip.length - 30), 'Invalid file'],
    [
      'a name that leads out',
      async () => replaced(await makeZip({ 'aaa/users.jsonl': '' }), 'aaa/', '../b'),
      'Invalid file',
    ],
    ['a bomb', async () => makeZip({ 'users.jsonl': Buffer.alloc(20_000_000) }), 'Invalid file'],
    ['a .tar.gz that is none', async () => gzipSync('hello'), 'Invalid file'],
    ['a cut .tar.gz', async () => (await tarOf(files)).subarray(0, 60), 'Invalid file'],
    ['a .tar.gz with a link', async () => linkedTar(), 'no plain file'],
    ['a .tar.gz that leads out', async () => tarOf({ '../users.jsonl': '' }), 'Invalid file'],
    ['a .tar.gz bomb', async () => tarOf({ 'users.jsonl': Buffer.alloc(80_000_000) }), 'expands'],
  ])('%s', async (_, make, message) => {
    const before = await kept();
    const { status, json } = await upload(Uint8Array.from(await make()), {
      'content-type': 'application/octet-stream',
    });
    expect({ status, code: json.error_code }).toEqual({ status: 400, code: 'BAD_REQUEST' });
    expect(json.error).toContain(message);
    await expectNothingKept(before);
  });

  test.each([
    ['no type', {}, 415],
    ['JSON', { 'content-type': 'application/json' }, 415],
    ['a form without boundary', { 'content-type': 'multipart/form-data' }, 400],
    ['a form that is none', { 'content-type': 'multipart/form-data; boundary=x' }, 400],
  ])('%s', async (_, headers, expected) => {
    const before = await kept();
    const { status, json } = await upload(Uint8Array.from(zip), headers as Record<string, string>);
    expect(status).toBe(expected);
    expect(json.error_code).toBe(expected === 415 ? 'UNSUPPORTED_MEDIA_TYPE' : 'BAD_REQUEST');
    await expectNothingKept(before);
  });

  test('a form without the field, with another one, with two files', async () => {
    const before = await kept();
    const twice = form(zip);
    twice.append('file', new Blob([Uint8Array.from(zip)]), 'second.zip');
    for (const data of [new FormData(), form(zip, 'bundle'), form(Buffer.alloc(0)), twice]) {
      expect(await upload(data)).toMatchObject({ status: 400, json: { error_code: 'BAD_REQUEST' } });
    }
    await expectNothingKept(before);
  });

  test('what is too large, with and without its length, before it is read whole', async () => {
    const before = await kept();
    let sent = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 65_536;
          controller.enqueue(new Uint8Array(65_536));
        },
      });
    const said = await upload(endless(), { ...raw, 'content-length': '200001' });
    expect(said).toMatchObject({ status: 413, json: { error_code: 'BODY_TOO_LARGE' } });
    expect(await upload(endless(), raw)).toMatchObject({
      status: 413,
      json: { error_code: 'BODY_TOO_LARGE' },
    });
    expect(await upload(form(Buffer.alloc(200_001)))).toMatchObject({ status: 413 });
    expect(sent).toBeLessThan(2_000_000);
    await expectNothingKept(before);
  });

  test('what stops coming is 408, and what breaks off leaves nothing', async () => {
    const before = await kept();
    const server = createAdaptorServer({ fetch: app().fetch });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const begin = async () => {
      const socket = connect(port, '127.0.0.1');
      const head = `POST /api/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: ${someone}\r\nContent-Type: application/zip\r\n`;
      socket.write(`${head}Content-Length: 100000\r\n\r\nPK`);
      return socket;
    };
    const slow = await begin();
    const [answer] = (await once(slow, 'data')) as [Buffer];
    expect(answer.toString()).toContain('HTTP/1.1 408 ');
    expect(answer.toString()).toContain('REQUEST_TIMEOUT');
    slow.destroy();
    const broken = await begin();
    await expect.poll(() => readdirSync(spools).length).toBe(1);
    broken.destroy();
    await expect.poll(() => readdirSync(spools).length).toBe(0);
    server.close();
    await expectNothingKept(before);
  });
});

test('only an id, and the path that the document gives it, name an upload', () => {
  const id = 'a'.repeat(32);
  expect([id, `${id}.zip`, `/tmp/restores/uploads/${id}.zip`].map(uploadIdOf)).toEqual([id, id, id]);
  for (const ref of [
    '',
    '/etc/passwd',
    `/tmp/restores/uploads/../${id}.zip`,
    `/tmp/${id}.zip`,
    'A'.repeat(32),
    `${id}\n`,
  ]) {
    expect(uploadIdOf(ref)).toBeNull();
  }
});

async function tarOf(content: Readonly<Record<string, string | Buffer>>, folder = ''): Promise<Buffer> {
  const pack = tar.pack();
  if (folder !== '') pack.entry({ name: folder, type: 'directory' });
  for (const [name, text] of Object.entries(content)) pack.entry({ name: folder + name }, text);
  pack.finalize();
  return packed(pack);
}

async function linkedTar(): Promise<Buffer> {
  const pack = tar.pack();
  pack.entry({ name: 'users.jsonl', type: 'symlink', linkname: '/etc/passwd' });
  pack.finalize();
  return packed(pack);
}

async function packed(pack: tar.Pack): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}
