import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { serviceFingerprint } from '../src/config/fingerprint.ts';
import { findService } from '../src/config/services.ts';
import type { DatabaseConfig, ServiceConfig } from '../src/config/thaw-config.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { openDumpStore } from '../src/dump/choose/dump-store.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDatabase } from '../src/postgres/connect-database.ts';
import { dumpSessionPrefix } from '../src/postgres/database-lock.ts';
import type { ObjectStore } from '../src/store/object-store.ts';
import { withHeartbeats } from './heartbeat.ts';

/** What an activity of a restore of a dump works with. */
export interface DumpTools {
  readonly service: ServiceConfig;
  /** Holds secrets. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborted when the activity is to end. */
  readonly signal: AbortSignal;
  /** What its heartbeats say. */
  readonly progress: LoadProgress;
  /** What its sessions are called. */
  readonly applicationName: string;
  /** A database of the service's server. */
  connection(database: string): DatabaseConfig;
  /** Does something with a session in the maintenance database. */
  inMaintenance<T>(action: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Does something with the store that the dumps lie in. */
  withStore<T>(action: (store: ObjectStore) => Promise<T>): Promise<T>;
}

/**
 * Does the work of an activity, with heartbeats as long as it goes on.
 *
 * @throws ThawError `ConfigInvalid` where this worker's configuration of the service is another one
 */
export async function withDumpTools<T>(
  { config, env }: ThawContext,
  request: DumpRequest,
  action: (tools: DumpTools) => Promise<T>,
): Promise<T> {
  const service = serviceOf(config, request);
  const { cancellationSignal: signal, info } = Context.current();
  const progress = new LoadProgress();
  // Whatever PostgreSQL takes its time for is no sign of death.
  progress.enter('merge', request.database);
  const connection = (name: string) => ({ ...service.connection, name });
  const applicationName = `${dumpSessionPrefix(request.restoreId)}${info.attempt}`;
  return withHeartbeats(
    () => (progress.alive ? progress.snapshot() : null),
    () =>
      action({
        ...{ service, env, signal, progress, applicationName, connection },
        inMaintenance: (work) =>
          withDatabase(connection(service.maintenance), env, { applicationName, signal }, work),
        withStore: async (work) => {
          const store = await openDumpStore(service, request.choice, env);
          try {
            return await work(store);
          } finally {
            store.close();
          }
        },
      }),
  );
}

/** Tells of bytes that have come so far, as heartbeats want to know those that have come since. */
export function bytesInto(progress: LoadProgress): (bytes: number) => void {
  let before = 0;
  return (bytes) => {
    progress.move(bytes - before, 0);
    before = bytes;
  };
}

/**
 * The service of a request.
 *
 * @throws ThawError `ConfigInvalid` where this worker's configuration of it is another one
 */
export function serviceOf(
  config: ThawContext['config'],
  { service: name, fingerprint }: Pick<DumpRequest, 'service' | 'fingerprint'>,
): ServiceConfig {
  const service = findService(config, name);
  if (serviceFingerprint(service) === fingerprint) return service;
  throw new ThawError(
    'ConfigInvalid',
    `This worker's configuration of service ${name} is not the one that was asked for with.`,
    {
      object: name,
      hint: 'Give the worker and whoever asks the same host, port, database, user and place of dumps, or task queues of their own.',
    },
  );
}
