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
  return new S3Client({
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
}
