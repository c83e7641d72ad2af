import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { loadConfig } from '../config/load-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { startApi, startWorker } from './command.ts';
import { devConfig, devDatabases } from './dev-config.ts';
import { devToken } from './dev-token.ts';
import { type Lock, tryLock } from './lock.ts';
import type { PostgresServer } from './postgres-server.ts';
import { endLeftover, type RunningProcess } from './process.ts';
import { type Stack, startStack } from './stack.ts';
import { writeWhole } from './state-file.ts';
import { type Supervised, supervise } from './supervisor.ts';
import { withoutTemporalSettings } from './temporal-server.ts';

/** What `thaw dev` is asked for. */
export interface DevOptions {
  /** State folder. @default '.thaw' */
  readonly folder: string;
  /** Port of the API; 0: the one it had, or any. */
  readonly port: number;
  /** false: no worker; whoever wants one starts it. */
  readonly worker: boolean;
  /** Configuration for worker and API; null: one that is made in the folder. */
  readonly config: string | null;
  readonly log: (line: string) => void;
  /** Stops a start that is under way. */
  readonly signal?: AbortSignal;
}

/** The lines of `{folder}/env`, by name. */
export interface DevEnvironment {
  readonly TEMPORAL_ADDRESS: string;
  readonly TEMPORAL_UI_URL: string;
  readonly THAW_API_URL: string;
  /** Connection string of the first of the demonstration's databases, as superuser. */
  readonly THAW_DATABASE_URL: string;
  readonly THAW_DATABASE_PORT: string;
  readonly THAW_DATABASE_PASSWORD: string;
  readonly AWS_ENDPOINT_URL_S3: string;
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
  readonly AWS_REGION: string;
  readonly THAW_BUCKET: string;
  /** Secret of the API's tokens: `thaw token` makes others. */
  readonly THAW_JWT_SECRET: string;
  /** A token for everything. */
  readonly THAW_API_TOKEN: string;
  /** The same, by its shorter name. */
  readonly THAW_TOKEN: string;
  readonly THAW_CONFIG: string;
  /** The first database of that configuration. */
  readonly THAW_BUNDLE_DATABASE: string;
}

/** The whole stack, ready to be used, and kept up until it is stopped. */
export interface DevStack {
  readonly env: DevEnvironment;
  readonly envFile: string;
  /** Connection string of a database of its PostgreSQL. */
  databaseUrl(name: string): string;
  /** Stops everything that was started; the folder keeps the data. */
  stop(): Promise<void>;
}

/**
 * Starts Temporal with its UI, the S3 gateway, PostgreSQL, worker and API; then writes `{folder}/env`
 * (mode 0600) and logs `thaw dev: ready`. What an earlier run left behind when it was killed is ended
 * first, and its data used. Whatever fails or aborts the start stops everything again.
 *
 * Errors: `ConfigInvalid` when it runs in that folder already, a tool cannot be had or a part does not start.
 */
export async function startDev(options: DevOptions): Promise<DevStack> {
  const folder = path.resolve(options.folder);
  const lock = await lockFolder(folder);
  const envFile = path.join(folder, 'env');
  const started: Supervised[] = [];
  const stop = async () => {
    rmSync(envFile, { force: true });
    // Worker and API before the servers that they need.
    for (const one of started.splice(0).reverse()) await one.stop();
    lock.release();
  };
  try {
    rmSync(envFile, { force: true });
    // Before the servers that they work on are ended, and before the ports that they hold are given out.
    for (const name of ['worker', 'api']) await endLeftover(folder, name);
    const stack = await startStack({
      folder,
      bucket: 'thaw',
      durable: true,
      preferredPorts: { temporal: 7233, s3: 0, postgres: 0 },
      log: options.log,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    for (const { process, restart } of stack.servers) started.push(supervise(process, restart, options.log));
    options.signal?.throwIfAborted();
    await makeDatabases(stack.postgres);
    const env = await startParts(options, stack, started);
    options.signal?.throwIfAborted();
    const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
    writeWhole(envFile, lines.join(''), 0o600);
    options.log('thaw dev: ready');
    return { env, envFile, databaseUrl: stack.postgres.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts API and worker as processes of their own. */
async function startParts(options: DevOptions, stack: Stack, started: Supervised[]): Promise<DevEnvironment> {
  const { folder, secrets, temporal, s3, postgres } = stack;
  const config = options.config === null ? makeConfig(folder) : path.resolve(options.config);
  const token = await devToken(folder, secrets.jwtSecret);
  const places = {
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_UI_URL: temporal.uiUrl ?? '',
    THAW_DATABASE_URL: postgres.url(devDatabases[0]),
    THAW_DATABASE_PORT: String(postgres.port),
    THAW_DATABASE_PASSWORD: postgres.password,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_REGION: s3.region,
    THAW_BUCKET: s3.bucket,
    THAW_JWT_SECRET: secrets.jwtSecret,
    THAW_API_TOKEN: token,
    THAW_TOKEN: token,
    THAW_CONFIG: config,
  };
  const { databases } = await loadConfig(config, { ...ownEnvironment(), ...places });
  const withoutApi = { ...places, THAW_BUNDLE_DATABASE: databases[0]?.name ?? '' };
  const place = { folder, config, env: { ...ownEnvironment(), ...withoutApi } };
  const api = keepUp(started, () => startApi(place, stack.ports, options.port), options.log);
  const worker = options.worker ? keepUp(started, () => startWorker(place), options.log) : null;
  // Both to their end, so that none is still starting, and missed, when the other's failure stops all.
  await Promise.allSettled([api, worker]);
  await worker;
  return { ...withoutApi, THAW_API_URL: (await api).url };
}

async function keepUp<P extends { readonly process: RunningProcess }>(
  started: Supervised[],
  start: () => Promise<P>,
  log: (line: string) => void,
): Promise<P> {
  const part = await start();
  started.push(supervise(part.process, start, log));
  return part;
}

async function lockFolder(folder: string): Promise<Lock> {
  const lock = await tryLock(path.join(folder, 'lock'));
  if ('release' in lock) return lock;
  throw new ThawError('ConfigInvalid', `thaw dev runs in ${folder} already, as process ${lock.heldBy}`, {
    object: folder,
    hint: 'Stop it first, or give this one a folder of its own with --dir.',
  });
}

function makeConfig(folder: string): string {
  const file = path.join(folder, 'config.yaml');
  if (!existsSync(file)) writeWhole(file, devConfig, 0o600);
  return file;
}

/** Credentials and addresses of other clusters, stores and issuers of tokens must not reach worker and API. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const others = /^(AWS_PROFILE|AWS_SESSION_TOKEN|AWS_ENDPOINT_URL|THAW_JWKS|THAW_JWT_.*)$/;
  const own = Object.entries(process.env).filter(([name]) => !others.test(name));
  return withoutTemporalSettings(Object.fromEntries(own));
}

async function makeDatabases(postgres: PostgresServer): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url('postgres') });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    for (const name of devDatabases) {
      if (!rows.some((row) => row.datname === name)) await client.query(`create database "${name}"`);
    }
  } finally {
    await client.end();
  }
}
