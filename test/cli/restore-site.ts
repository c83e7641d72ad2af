import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import { makePlace } from '../../src/stack/standalone-place.ts';
import { endServer, readRecord } from '../../src/stack/standalone-record.ts';
import { expectEqualTable, expectedCsv, fixtureObjects, loadSchema } from '../harness/fixture.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { createTestBucket, type TestBucket } from '../harness/s3.ts';

/** A database with the table of the fixture `audit-logs`, its archives in a bucket, and a configuration for both. */
export interface RestoreSite {
  readonly database: TestDatabase;
  readonly bucket: TestBucket;
  readonly client: pg.Client;
  /** Of a command that runs its own Temporal server. */
  readonly env: NodeJS.ProcessEnv;
  readonly config: string;
  readonly stateDir: string;
  /** Fails unless the table is as it was archived. */
  expectRestored(): Promise<void>;
  count(): Promise<number>;
  remove(): Promise<void>;
}

/** Makes a site; every test file has one of its own. */
export async function createRestoreSite(): Promise<RestoreSite> {
  const database = await createTestDatabase('cli');
  const bucket = await createTestBucket();
  const stateDir = await mkdtemp(path.join(tmpdir(), 'thaw-cli-'));
  const client = await database.client();
  await loadSchema(client, 'audit-logs');
  for (const { key, file } of await fixtureObjects('audit-logs')) {
    await bucket.put(key.replace('/production_db/', `/${database.name}/`), await readFile(file));
  }
  const config = path.join(stateDir, 'config.yaml');
  await writeFile(config, configText(database, bucket));
  return {
    database,
    bucket,
    client,
    config,
    stateDir,
    env: environment(database, bucket, config, stateDir),
    expectRestored: () =>
      expectEqualTable(client, 'public.audit_logs', expectedCsv('audit-logs', 'public.audit_logs')),
    count: async () => {
      const { rows } = await client.query<{ count: string }>('select count(*) as count from audit_logs');
      return Number(rows[0]?.count);
    },
    remove: async () => {
      await stopServer(stateDir);
      await Promise.all([database.drop(), bucket.remove()]);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

function configText(
  { name, host, port, user }: TestDatabase,
  { endpoint, bucket, region }: TestBucket,
): string {
  return `
version: "1.0"
s3: { endpoint: "${endpoint}", bucket: "${bucket}", region: "${region}", prefix: archives }
databases:
  - name: ${name}
    host: ${host}
    port: ${port}
    user: ${user}
    password_env: CLI_TEST_PASSWORD
    tables: [{ name: audit_logs }]
`;
}

function environment(
  database: TestDatabase,
  bucket: TestBucket,
  config: string,
  stateDir: string,
): NodeJS.ProcessEnv {
  const { TEMPORAL_ADDRESS: _, TEMPORAL_NAMESPACE: __, ...env } = process.env;
  return {
    ...env,
    THAW_CONFIG: config,
    THAW_STATE_DIR: stateDir,
    CLI_TEST_PASSWORD: database.password,
    AWS_ACCESS_KEY_ID: bucket.accessKeyId,
    AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
}

/** A command that was killed leaves its server running, and one that ends does not wait for its server. */
async function stopServer(stateDir: string): Promise<void> {
  const record = await readRecord(await makePlace(stateDir));
  if (record !== null) await endServer(record, 10_000);
}
