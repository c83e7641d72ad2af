import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { s3Client } from '../../src/stack/s3-gateway.ts';
import { type FixtureSet, fixtureObjects } from './fixture.ts';

/** A bucket of its own, for one test file. */
export interface TestBucket {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly client: S3Client;
  put(key: string, body: Uint8Array | string): Promise<void>;
  get(key: string): Promise<Uint8Array>;
  /**
   * Puts the objects of a set under their exact keys.
   *
   * @param only puts only keys that begin with this, such as `archives/shop_db/orders/`
   * @param database stands in the keys in place of the set's own, as each test file has a database of its own
   */
  putFixture(set: FixtureSet, only?: string, database?: string): Promise<void>;
  /** All keys, in S3's order. */
  keys(prefix?: string): Promise<string[]>;
  /** Deletes the bucket and everything in it. */
  remove(): Promise<void>;
}

/** Makes an empty bucket on the S3 server of the run. */
export async function createTestBucket(): Promise<TestBucket> {
  const access = inject('stack').s3;
  const client = s3Client(access);
  const bucket = `test-${randomBytes(6).toString('hex')}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));

  const put = async (key: string, body: Uint8Array | string) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  };
  const get = async (key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  };
  const keys = async (prefix = '') => {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      );
      found.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  };
  return {
    ...access,
    bucket,
    client,
    put,
    get,
    putFixture: async (set, only = '', database) => {
      const objects = (await fixtureObjects(set)).filter(({ key }) => key.startsWith(only));
      const place = (key: string) =>
        database === undefined ? key : key.replace(/^archives\/(?!audit\/)[^/]+\//, `archives/${database}/`);
      await Promise.all(objects.map(async ({ key, file }) => put(place(key), await readFile(file))));
    },
    keys,
    remove: async () => {
      for (let left = await keys(); left.length > 0; left = left.slice(1000)) {
        const Objects = left.slice(0, 1000).map((Key) => ({ Key }));
        await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
      }
      await client.send(new DeleteBucketCommand({ Bucket: bucket }));
      client.destroy();
    },
  };
}
