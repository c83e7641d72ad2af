import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { PortBook } from './port.ts';
import { endLeftover, type RunningProcess, startProcess, waitUntilReady } from './process.ts';

/** How to run the S3 gateway. */
export interface S3GatewayOptions {
  /** versitygw, as `obtainTool` gives it. */
  readonly executable: string;
  /** State folder; buckets are folders below `{folder}/s3/buckets`. */
  readonly folder: string;
  readonly ports: PortBook;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Made when it is not there. */
  readonly bucket: string;
  /** Tried first where the folder remembers none. @default 0, any */
  readonly preferredPort?: number;
}

/** An S3 server that answers, and how to speak to it. Path-style addresses only. */
export interface S3Gateway {
  readonly process: RunningProcess;
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
}

const region = 'us-east-1';

/** Starts versitygw over a folder on 127.0.0.1, waits until it answers, and makes the bucket. */
export async function startS3Gateway(options: S3GatewayOptions): Promise<S3Gateway> {
  await endLeftover(options.folder, 's3');
  return options.ports.start('s3', options.preferredPort ?? 0, (port) => launch(options, port));
}

async function launch(options: S3GatewayOptions, port: number): Promise<S3Gateway> {
  const { folder, accessKeyId, secretAccessKey, bucket } = options;
  const buckets = path.join(folder, 's3', 'buckets');
  const sidecar = path.join(folder, 's3', 'metadata');
  for (const directory of [buckets, sidecar]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const gateway = await startProcess({
    name: 's3',
    folder,
    command: options.executable,
    args: [
      ...[
        '--port',
        `127.0.0.1:${port}`,
        '--region',
        region,
        '--health',
        '/health',
        '--keep-alive',
        '--quiet',
      ],
      // Metadata in files of their own, always: with extended attributes a folder that was moved to a
      // file system without them would lose every ETag.
      ...['posix', '--sidecar', sidecar, buckets],
    ],
    env: { ...process.env, ROOT_ACCESS_KEY_ID: accessKeyId, ROOT_SECRET_ACCESS_KEY: secretAccessKey },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await waitUntilReady(gateway, 30_000, async () => (await fetch(`${endpoint}/health`)).ok);
  const access = { endpoint, region, accessKeyId, secretAccessKey, bucket };
  await makeBucket(access).catch(async (error: unknown) => {
    await gateway.stop();
    throw error;
  });
  return { process: gateway, ...access };
}

/** An SDK client for a gateway of the stack. */
export function s3Client(access: Omit<S3Gateway, 'process' | 'bucket'>): S3Client {
  return new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    forcePathStyle: true,
    credentials: { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

async function makeBucket(access: Omit<S3Gateway, 'process'>): Promise<void> {
  const client = s3Client(access);
  try {
    await client.send(new CreateBucketCommand({ Bucket: access.bucket }));
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name !== 'BucketAlreadyOwnedByYou' && name !== 'BucketAlreadyExists') throw error;
  } finally {
    client.destroy();
  }
}
