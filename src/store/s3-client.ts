import { createHash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { environmentCredentials } from '../config/store-config.ts';
import type { S3StoreConfig } from '../config/thaw-config.ts';

/** Lanes times archives read ahead, and the metadata beside them. */
const mostSockets = 64;

/** The connections of one store, shared by the SDK and the reads beside it. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

/** Connections that are kept: one for each GET would cost more than the GET. */
export function makeAgents(): Agents {
  const options = { keepAlive: true, maxSockets: mostSockets, maxFreeSockets: mostSockets };
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

/** A client of the AWS SDK for the configured bucket. */
export function makeS3Client(config: S3StoreConfig, env: NodeJS.ProcessEnv, agents: Agents): S3Client {
  const credentials = config.credentials ?? environmentCredentials(env);
  const client = new S3Client({
    region: config.region,
    ...(config.endpoint === null ? {} : { endpoint: config.endpoint }),
    // The configuration has decided by now; otherwise the SDK would look into the environment once more.
    ignoreConfiguredEndpointUrls: true,
    forcePathStyle: config.pathStyle,
    ...(credentials === null ? {} : { credentials }),
    // The store tries again itself, with longer pauses; the SDK only once it knows the store's clock.
    maxAttempts: 2,
    // By default the SDK adds checksums that older S3-compatible servers refuse.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      httpAgent: agents.http,
      httpsAgent: agents.https,
      connectionTimeout: 5_000,
      requestTimeout: 30_000,
      throwOnRequestTimeout: true,
    }),
  });
  if (config.contentMd5 === true) addContentMd5(client);
  return client;
}

/** What puts bytes into a bucket whose objects have a retention period. */
const putting = new Set(['PutObjectCommand', 'UploadPartCommand']);

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html: parts of an upload are no exception. */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        const { request } = args;
        if (putting.has(commandName) && isRequest(request) && request.body instanceof Uint8Array) {
          request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64');
        }
        return next(args);
      },
    { step: 'build', name: 'contentMd5' },
  );
}

function isRequest(
  value: unknown,
): value is { readonly headers: Record<string, string>; readonly body: unknown } {
  return typeof value === 'object' && value !== null && 'headers' in value && 'body' in value;
}
