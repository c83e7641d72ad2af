import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';
import pino from 'pino';
import { RestoreClient } from '../../src/client/restore-client.ts';
import { fingerprint } from '../../src/config/fingerprint.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { StorageType, ThawConfig } from '../../src/config/thaw-config.ts';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import {
  defaultRestoreOptions,
  type RestoreOptions,
  type RestoreRequest,
  type TableRequest,
} from '../../src/contract/restore-request.ts';
import { runWorker } from '../../src/worker.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { createTestBucket, type TestBucket } from './s3.ts';
import { type TestTemporal, testBundle, testTemporal } from './temporal.ts';

/** Everything that a restore needs, real, for one test file: database, bucket, task queue, worker in this process. */
export interface TestThaw {
  readonly database: TestDatabase;
  readonly bucket: TestBucket;
  readonly temporal: TestTemporal;
  readonly config: ThawConfig;
  readonly configText: string;
  readonly client: Client;
  readonly restores: RestoreClient;
  /** A connection to the target database. */
  readonly pg: pg.Client;
  /** Makes a request for tables (by name, or in whole); options that are not given have their defaults. */
  request(
    tables: readonly (string | Partial<TableRequest>)[],
    options?: Partial<RestoreOptions>,
  ): RestoreRequest;
  /** Restores tables and waits for the end. */
  restore(
    tables: readonly (string | Partial<TableRequest>)[],
    options?: Partial<RestoreOptions>,
  ): Promise<RestoreOutcome>;
  /** Stops the worker, as SIGTERM would; `startWorker` starts another. */
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  close(): Promise<void>;
}

/** What fault tests put in place of the run's own servers: one of theirs, or a proxy before one. */
export interface TestPlaces {
  readonly database?: TestDatabase;
  readonly temporal?: TestTemporal;
  /** Where the worker finds the S3 server. */
  readonly s3Endpoint?: string;
  /** Where the worker finds the PostgreSQL server, on the same host. */
  readonly postgresPort?: number;
  /** `restore_watermark` of the configuration. */
  readonly watermark?: Readonly<Record<string, unknown>>;
  /** `defaults.audit_trail_storage_type` of the configuration. */
  readonly auditTrail?: StorageType;
  /** `services` of the configuration. */
  readonly services?: readonly Readonly<Record<string, unknown>>[];
  /** Variables of the worker. */
  readonly env?: NodeJS.ProcessEnv;
}

/** @param name begins the names of database and task queue */
export async function createTestThaw(
  name: string,
  worker: 'worker' | 'no worker' = 'worker',
  places: TestPlaces = {},
): Promise<TestThaw> {
  const database = places.database ?? (await createTestDatabase(name));
  const bucket = await createTestBucket();
  const temporal = places.temporal ?? testTemporal(name);
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  const configText = configOf(database, bucket, places);
  const config = parseConfig(configText, 'test.yaml', {});
  const pgClient = await database.client();
  let stop: (() => Promise<void>) | null = null;
  const thaw: TestThaw = {
    database,
    bucket,
    temporal,
    config,
    configText,
    client,
    restores: new RestoreClient(client, temporal.taskQueue),
    pg: pgClient,
    request: (tables, options = {}) => ({
      restoreId: `test-${randomBytes(6).toString('hex')}`,
      fingerprint: fingerprint(config, database.name),
      database: database.name,
      tables: tables.map((table) => wholeRequest(typeof table === 'string' ? { table } : table)),
      keys: null,
      options: { ...defaultRestoreOptions, heartbeatSeconds: 5, ...options },
    }),
    restore: async (tables, options) => {
      const request = thaw.request(tables, options);
      await thaw.restores.start(request);
      return thaw.restores.outcome(request.restoreId);
    },
    startWorker: async () => {
      stop = await startTestWorker(config, temporal, {
        // Where restores of bundles keep their runs.
        THAW_DATABASE_URL: database.url,
        // Tests restore more often than people.
        THAW_SNAPSHOT_RESTORES_PER_HOUR: '0',
        ...places.env,
      });
    },
    stopWorker: async () => {
      await stop?.();
      stop = null;
    },
    close: async () => {
      await thaw.stopWorker();
      await connection.close();
      await bucket.remove();
      await database.drop();
    },
  };
  if (worker === 'worker') await thaw.startWorker();
  return thaw;
}

async function startTestWorker(
  config: ThawConfig,
  temporal: TestTemporal,
  env: NodeJS.ProcessEnv,
): Promise<() => Promise<void>> {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    running = runWorker({
      config,
      env,
      connection: { address: temporal.address },
      namespace: temporal.namespace,
      taskQueue: temporal.taskQueue,
      bundle: testBundle(),
      logger: pino({ level: 'silent' }),
      onReady: resolve,
      signal: stopping.signal,
    });
    running.catch(reject);
  });
  return async () => {
    stopping.abort();
    await running;
  };
}

function wholeRequest(table: Partial<TableRequest>): TableRequest {
  const name = table.table ?? '';
  const schema = table.schema ?? 'public';
  return { table: name, schema, intoTable: table.intoTable ?? name, intoSchema: table.intoSchema ?? schema };
}

/** A configuration in the archiver's own form, with the test's database under its own name. */
function configOf(database: TestDatabase, bucket: TestBucket, places: TestPlaces): string {
  return JSON.stringify({
    version: '1.0',
    restore_watermark: places.watermark ?? {},
    services: places.services ?? [],
    defaults: { audit_trail_storage_type: places.auditTrail ?? 's3' },
    s3: {
      endpoint: places.s3Endpoint ?? bucket.endpoint,
      bucket: bucket.bucket,
      prefix: 'archives',
      region: bucket.region,
      access_key_id: bucket.accessKeyId,
      secret_access_key: bucket.secretAccessKey,
    },
    databases: [
      {
        name: database.name,
        host: database.host,
        port: places.postgresPort ?? database.port,
        user: database.user,
        password: database.password,
        tables: [{ name: 'audit_logs', timestamp_column: 'created_at', primary_key: 'id' }],
      },
    ],
  });
}
