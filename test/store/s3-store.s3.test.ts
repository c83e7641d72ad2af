import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { S3StoreConfig } from '../../src/config/thaw-config.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { createTestBucket, type TestBucket } from '../harness/s3.ts';
import { type Cut, type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { allPages, bytesOf, objectStoreSuite } from './object-store-suite.ts';

const MiB = 1024 * 1024;
let bucket: TestBucket;
let store: S3Store;

beforeAll(async () => {
  bucket = await createTestBucket();
  store = new S3Store(config(), {});
});

afterAll(async () => {
  store.close();
  await bucket.remove();
});

function config(changes: Partial<S3StoreConfig> = {}): S3StoreConfig {
  return {
    kind: 's3',
    endpoint: bucket.endpoint,
    bucket: bucket.bucket,
    prefix: '',
    region: bucket.region,
    pathStyle: true,
    encryption: null,
    credentials: { accessKeyId: bucket.accessKeyId, secretAccessKey: bucket.secretAccessKey },
    ...changes,
  };
}

function openedStore(changes: Partial<S3StoreConfig>, env: NodeJS.ProcessEnv = {}): S3Store {
  const opened = new S3Store(config(changes), env);
  onTestFinished(() => opened.close());
  return opened;
}

async function behindProxy(cuts: readonly Cut[]): Promise<{ proxy: CuttingProxy; cutStore: S3Store }> {
  const proxy = await startCuttingProxy(bucket.endpoint, cuts);
  onTestFinished(() => proxy.close());
  return { proxy, cutStore: openedStore({ endpoint: proxy.endpoint }) };
}

objectStoreSuite(() => store);

test('pages through more keys than an answer holds, from any key on', async () => {
  const keys = Array.from({ length: 1_100 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
  for (let at = 0; at < keys.length; at += 50)
    await Promise.all(keys.slice(at, at + 50).map((key) => bucket.put(key, key)));
  const pages = await allPages(store, 'many/', 1_000);
  expect(pages.map((page) => page.objects.length)).toEqual([1_000, 100]);
  expect(pages.flatMap((page) => page.objects.map(({ key }) => key))).toEqual(keys);
  const inside = await store.list({ prefix: 'many/', after: 'many/0499', limit: 10 });
  expect(inside.objects.map(({ key }) => key)).toEqual(keys.slice(500, 510));
  expect(inside.next).toBe('many/0509');
});

describe('a broken connection', () => {
  test('is opened again where it broke, and no byte is lost or doubled', async () => {
    const bytes = randomBytes(6 * MiB + 12_345);
    await bucket.put('cut/big', bytes);
    const { proxy, cutStore } = await behindProxy([
      { after: 0 },
      { after: 100 },
      { after: 1_000_000 },
      { after: 700, gently: true },
      { after: 2_000_000, gently: true },
      { after: 1 },
      { after: 2_500_000 },
    ]);
    expect((await bytesOf(await cutStore.open('cut/big'))).equals(bytes)).toBe(true);
    expect(proxy.connections).toBe(8);
  });

  test('does no harm to an object that is read in one piece', async () => {
    const bytes = randomBytes(300_000);
    await bucket.put('cut/small', bytes);
    const { proxy, cutStore } = await behindProxy([{ after: 150_000 }, { after: 100_000, gently: true }]);
    expect(Buffer.from((await cutStore.read('cut/small')) ?? []).equals(bytes)).toBe(true);
    expect(proxy.connections).toBe(3);
  });

  test('is never mended with the bytes of another object', async () => {
    await bucket.put('cut/replaced', randomBytes(4 * MiB));
    const replace = () => bucket.put('cut/replaced', randomBytes(4 * MiB));
    const { cutStore } = await behindProxy([{ after: 1_500_000, before: replace }]);
    const body = await cutStore.open('cut/replaced');
    await expect(bytesOf(body)).rejects.toMatchObject({ code: 'ArchiveChanged', object: 'cut/replaced' });
  });

  test('that was only kept for later costs no pause', async () => {
    await bucket.put('cut/kept', 'kept');
    const { proxy, cutStore } = await behindProxy([]);
    await cutStore.read('cut/kept');
    const began = performance.now();
    proxy.drop();
    expect(Buffer.from((await cutStore.read('cut/kept')) ?? []).toString()).toBe('kept');
    expect(performance.now() - began).toBeLessThan(240);
    expect(proxy.connections).toBe(2);
  });
});

describe('an abort', () => {
  test('ends a read in the middle at once', async () => {
    await bucket.put('abort/big', randomBytes(8 * MiB));
    const controller = new AbortController();
    const body = await store.open('abort/big', { signal: controller.signal });
    let seen = 0;
    const reading = (async () => {
      for await (const chunk of body.chunks) {
        seen += chunk.length;
        controller.abort(new Error('cancelled'));
      }
    })();
    await expect(reading).rejects.toThrow('cancelled');
    expect(seen).toBeLessThan(8 * MiB);
  });

  test('ends the pause before the next try', async () => {
    const controller = new AbortController();
    const unreachable = openedStore({ endpoint: 'http://127.0.0.1:1' });
    const began = performance.now();
    setTimeout(() => controller.abort(new Error('cancelled')), 400);
    await expect(unreachable.open('any', { signal: controller.signal })).rejects.toThrow('cancelled');
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

test('stops early without a word when the reader returns', async () => {
  await bucket.put('early/big', randomBytes(8 * MiB));
  const body = await store.open('early/big');
  for await (const chunk of body.chunks) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(Buffer.from((await store.read('early/big', { etag: body.etag })) ?? [])).toHaveLength(8 * MiB);
});

describe('errors', () => {
  test.each([
    ['secret', { accessKeyId: 'right', secretAccessKey: 'wrong' }],
    ['access key', { accessKeyId: 'nobody', secretAccessKey: 'wrong' }],
  ])('a wrong %s is PermissionDenied, never an object that is not there', async (_, keys) => {
    const accessKeyId = keys.accessKeyId === 'right' ? bucket.accessKeyId : keys.accessKeyId;
    const denied = openedStore({ credentials: { ...keys, accessKeyId } });
    await expect(denied.list({ prefix: '' })).rejects.toMatchObject({ code: 'PermissionDenied' });
    await expect(denied.read('rw/missing')).rejects.toMatchObject({ code: 'PermissionDenied' });
  });

  test('a bucket that does not exist is ConfigInvalid, for reads too', async () => {
    const lost = openedStore({ bucket: 'no-such-bucket-here' });
    const expected = {
      code: 'ConfigInvalid',
      message: expect.stringContaining('s3://no-such-bucket-here: bucket'),
    };
    await expect(lost.list({ prefix: '' })).rejects.toMatchObject(expected);
    await expect(lost.read('x')).rejects.toMatchObject(expected);
  });

  test('a wrong region is ConfigInvalid and names the right one', async () => {
    const abroad = openedStore({ region: 'eu-west-1' });
    const expected = {
      code: 'ConfigInvalid',
      hint: 'Set s3.region to us-east-1; where the environment names the bucket, AWS_S3_REGION.',
    };
    await expect(abroad.read('x')).rejects.toMatchObject(expected);
    await expect(abroad.list({ prefix: '' })).rejects.toMatchObject(expected);
  });

  test('an endpoint that cannot be reached is StoreUnavailable after seconds', async () => {
    const unreachable = openedStore({ endpoint: 'http://127.0.0.1:1' });
    await expect(unreachable.list({ prefix: '' })).rejects.toMatchObject({ code: 'StoreUnavailable' });
  }, 10_000);
});

test('finds access keys in the environment when the configuration has none', async () => {
  await bucket.put('env/one', 'found');
  const env = { AWS_ACCESS_KEY_ID: bucket.accessKeyId, AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey };
  const fromEnvironment = openedStore({ credentials: null }, env);
  expect(Buffer.from((await fromEnvironment.read('env/one')) ?? []).toString()).toBe('found');
});
