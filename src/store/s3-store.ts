import {
  DeleteObjectCommand,
  type _Object as ListedObject,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { S3StoreConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { Backoff, persist } from './backoff.ts';
import type {
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectPage,
  ObjectStore,
  ReadOptions,
} from './object-store.ts';
import { resumableBody } from './resumable-body.ts';
import { type Agents, makeAgents, makeS3Client } from './s3-client.ts';
import { type GetAnswer, S3Get } from './s3-get.ts';
import { uploadStream } from './s3-upload.ts';
import { storeError } from './store-error.ts';
import { readWhole, settle } from './whole-body.ts';

const longestPage = 1_000;
/** Nothing is lost by asking anew later, other than by reading: two seconds, and a wrong endpoint is told. */
const fewTries = 4;

/** Archives in an S3 bucket, of AWS or of any server that speaks its protocol. */
export class S3Store implements ObjectStore {
  readonly name: string;
  readonly #config: S3StoreConfig;
  readonly #agents: Agents;
  readonly #client: S3Client;
  readonly #get: S3Get;

  constructor(config: S3StoreConfig, env: NodeJS.ProcessEnv) {
    this.name = `s3://${config.bucket}`;
    this.#config = config;
    this.#agents = makeAgents();
    this.#client = makeS3Client(config, env, this.#agents);
    this.#get = new S3Get(config, this.#client, this.#agents);
  }

  async list({ prefix, after, limit, signal }: ListOptions): Promise<ObjectPage> {
    signal?.throwIfAborted();
    const command = new ListObjectsV2Command({
      Bucket: this.#config.bucket,
      Prefix: prefix,
      MaxKeys: Math.min(limit ?? longestPage, longestPage),
      ...(after ? { StartAfter: after } : {}),
    });
    const options = signal === undefined ? {} : { abortSignal: signal };
    const page = await this.#ask(() => this.#client.send(command, options), new Backoff(signal, fewTries));
    const objects = (page.Contents ?? []).map(objectInfo);
    this.#checkOrder(objects, after ?? '');
    return { objects, next: page.IsTruncated ? (objects.at(-1)?.key ?? null) : null };
  }

  async open(key: string, { etag, from, to, signal }: ReadOptions = {}): Promise<ObjectBody> {
    const answer = await this.#ask(
      () => this.#get.get(key, { etag, from, to, signal }),
      new Backoff(signal),
      key,
    );
    this.#checkTag(key, etag, answer);
    const chunks = resumableBody(answer.body, {
      from: from ?? 0,
      to: Math.min(to ?? answer.bytes, answer.bytes),
      name: `${this.name}/${key}`,
      reopen: async (offset) => {
        const again = await this.#get.get(key, { from: offset, to, etag: answer.etag || undefined, signal });
        this.#checkTag(key, answer.etag, again);
        return again.body;
      },
      classify: (error) => storeError(error, { store: this.name, key }),
      signal,
    });
    return settle({ bytes: answer.bytes, etag: answer.etag, chunks });
  }

  read(key: string, options?: ReadOptions): Promise<Uint8Array | null> {
    return readWhole(this, key, options);
  }

  async write(key: string, body: Uint8Array, contentType: string, replaces?: string | null): Promise<void> {
    const input = { ...this.#newObject(key, contentType), Body: body, ContentLength: body.length };
    const put = (condition: object) => this.#client.send(new PutObjectCommand({ ...input, ...condition }));
    await this.#ask(
      () =>
        put(writeCondition(replaces)).catch((error: unknown) => {
          if (replaces === undefined || !isNotImplemented(error)) throw error;
          return put({});
        }),
      new Backoff(undefined, fewTries),
      key,
    );
  }

  async writeStream(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    contentType: string,
    about = 0,
  ): Promise<void> {
    const classify = (error: unknown) => storeError(error, { store: this.name, key });
    await uploadStream(this.#client, this.#newObject(key, contentType), chunks, { classify, about });
  }

  async remove(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#config.bucket, Key: key });
    await this.#ask(() => this.#client.send(command), new Backoff(undefined, fewTries), key);
  }

  #newObject(key: string, contentType: string) {
    return {
      Bucket: this.#config.bucket,
      Key: key,
      ContentType: contentType,
      ...encryptionOf(this.#config),
    };
  }

  close(): void {
    this.#client.destroy();
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  /** Does one request, again and again while errors are of the moment. */
  #ask<T>(request: () => Promise<T>, backoff: Backoff, key?: string): Promise<T> {
    return persist(async () => {
      try {
        return await request();
      } catch (error) {
        throw storeError(error, { store: this.name, key });
      }
    }, backoff);
  }

  /** A server that passes over If-Match is caught here. */
  #checkTag(key: string, wanted: string | undefined, { etag, body }: GetAnswer): void {
    if (wanted === undefined || wanted === etag) return;
    body.destroy();
    throw new ThawError('ArchiveChanged', `${this.name}/${key}: has another entity tag than before`, {
      object: key,
    });
  }

  /** Pages go on by key: a server that lists in another order would make objects vanish in silence. */
  #checkOrder(objects: readonly ObjectInfo[], after: string): void {
    let previous = Buffer.from(after);
    for (const { key } of objects) {
      const current = Buffer.from(key);
      if (Buffer.compare(previous, current) >= 0) {
        throw new ThawError('ConfigInvalid', `${this.name}: lists its keys out of order (${key})`, {
          object: key,
          hint: 'Thaw needs keys in the order of their bytes, as S3 lists them. Copy the archives to a folder and restore from there.',
        });
      }
      previous = current;
    }
  }
}

function encryptionOf({ encryption }: S3StoreConfig) {
  if (encryption === null) return {};
  if (typeof encryption === 'string') return { ServerSideEncryption: encryption };
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKey: encryption.customerKey };
}

function writeCondition(replaces: string | null | undefined): object {
  if (replaces === undefined) return {};
  return replaces === null ? { IfNoneMatch: '*' } : { IfMatch: `"${replaces}"` };
}

/** The answer of a server that knows no conditions. */
function isNotImplemented(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 501;
}

function objectInfo(object: ListedObject): ObjectInfo {
  return {
    key: object.Key ?? '',
    bytes: object.Size ?? 0,
    etag: (object.ETag ?? '').replaceAll('"', ''),
    modifiedAt: (object.LastModified ?? new Date(0)).toISOString(),
    storageClass: object.StorageClass ?? null,
  };
}
