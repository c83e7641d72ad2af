import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { DrillClient } from '../client/drill-client.ts';
import { DumpClient } from '../client/dump-client.ts';
import { PitrClient } from '../client/pitr-client.ts';
import { RestoreClient } from '../client/restore-client.ts';
import { SnapshotRestoreClient } from '../client/snapshot-restore-client.ts';
import { SystemClient } from '../client/system-client.ts';
import { temporalSettings } from '../client/temporal-connection.ts';
import { UndoClient } from '../client/undo-client.ts';
import { resolveSetting, stateDir } from '../config/environment.ts';
import { defaultTaskQueue } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { openStandaloneServer } from '../stack/standalone.ts';
import { makePlace } from '../stack/standalone-place.ts';
import { isRunning, readRecord, serverAddress } from '../stack/standalone-record.ts';
import type { TemporalFlags } from './flags.ts';

/** How to reach a Temporal server. */
export interface TemporalPlace {
  /** `host:port` */
  readonly address: string;
  readonly namespace: string;
  /** Address, TLS, API key, metadata: for clients and workers alike. */
  readonly options: NativeConnectionOptions;
}

/** A Temporal server in use. */
export interface Temporal extends TemporalPlace {
  /** `cluster`: given by its address, with workers of its own; `standalone`: the own server of this user. */
  readonly kind: 'cluster' | 'standalone';
  readonly client: Client;
  /** Its web UI, where it is known. */
  readonly uiUrl: string | null;
  /** Lets the server go. */
  close(): Promise<void>;
}

/** The cluster that a flag or `TEMPORAL_ADDRESS` names; null where none does. */
export function clusterPlace(flags: TemporalFlags, env: NodeJS.ProcessEnv): TemporalPlace | null {
  const address = flags.temporalAddress || env.TEMPORAL_ADDRESS;
  if (!address) return null;
  const { connectionOptions, namespace } = temporalSettings({ ...env, TEMPORAL_ADDRESS: address });
  return { address, namespace: flags.namespace ?? namespace ?? 'default', options: connectionOptions };
}

/** The cluster for what runs as a service: as {@link clusterPlace}, or a server on this machine's usual port. */
export function servicePlace(flags: TemporalFlags, env: NodeJS.ProcessEnv): TemporalPlace {
  const { connectionOptions, namespace } = temporalSettings(env);
  const address = connectionOptions.address ?? 'localhost:7233';
  return (
    clusterPlace(flags, env) ?? {
      address,
      namespace: flags.namespace ?? namespace ?? 'default',
      options: { ...connectionOptions, address },
    }
  );
}

/** Connects to a cluster. @throws ThawError `ConfigInvalid` when it does not answer */
export async function openCluster(place: TemporalPlace, env: NodeJS.ProcessEnv): Promise<Temporal> {
  return open(place, { kind: 'cluster', uiUrl: env.TEMPORAL_UI_URL || null, release: async () => {} });
}

/** Opens the own server of this user, and starts it where it does not run. */
export async function openStandalone(
  flags: TemporalFlags,
  env: NodeJS.ProcessEnv,
  logger: Logger,
  signal: AbortSignal,
): Promise<Temporal> {
  const namespace = standaloneNamespace(flags, env);
  const server = await openStandaloneServer({
    stateDir: stateDir(flags.stateDir, env).value,
    namespace,
    log: (line) => logger.info(line),
    signal,
  });
  const { address, uiUrl, release } = server;
  return open(standalonePlace(address, namespace), { kind: 'standalone', uiUrl, release });
}

/**
 * Connects to the cluster that is named, or to the own server of this user where it runs. Starts none.
 *
 * @returns null when there is neither
 */
export async function findTemporal(flags: TemporalFlags, env: NodeJS.ProcessEnv): Promise<Temporal | null> {
  const cluster = clusterPlace(flags, env);
  if (cluster !== null) return openCluster(cluster, env);
  const record = await readRecord(await makePlace(stateDir(flags.stateDir, env).value));
  if (record === null || !record.ready || !isRunning(record)) return null;
  const place = standalonePlace(serverAddress(record), standaloneNamespace(flags, env));
  const uiUrl = `http://127.0.0.1:${record.uiPort}`;
  return open(place, { kind: 'standalone', uiUrl, release: async () => {} });
}

/** Like {@link findTemporal}. @throws ThawError `InputInvalid` when nothing runs */
export async function requireTemporal(flags: TemporalFlags, env: NodeJS.ProcessEnv): Promise<Temporal> {
  const temporal = await findTemporal(flags, env);
  if (temporal !== null) return temporal;
  throw new ThawError('InputInvalid', 'nothing is running: there is no Temporal server to ask', {
    object: 'TEMPORAL_ADDRESS',
    hint: 'Set TEMPORAL_ADDRESS to the cluster that the restore runs in, or start one with `thaw restore`.',
  });
}

/** What starts restores and asks about them, in a Temporal server. */
export function restoresOf(temporal: Temporal, taskQueue: string = defaultTaskQueue): RestoreClient {
  return new RestoreClient(temporal.client, taskQueue);
}

/** The same of dumps. */
export function dumpsOf(temporal: Temporal, taskQueue: string = defaultTaskQueue): DumpClient {
  return new DumpClient(temporal.client, taskQueue);
}

/** What asks after drills. */
export function drillsOf(temporal: Temporal, taskQueue: string = defaultTaskQueue): DrillClient {
  return new DrillClient(temporal.client, taskQueue);
}

/** The same of systems. */
export function systemsOf(temporal: Temporal, taskQueue: string = defaultTaskQueue): SystemClient {
  return new SystemClient(temporal.client, taskQueue);
}

/** What asks after recoveries to a point in time. */
export function recoveriesOf(temporal: Temporal, taskQueue: string = defaultTaskQueue): PitrClient {
  return new PitrClient(temporal.client, taskQueue);
}

/** What starts undos and asks after them. */
export function undosOf(temporal: Temporal, taskQueue: string = defaultTaskQueue): UndoClient {
  return new UndoClient(temporal.client, taskQueue);
}

/** The same of snapshots. */
export function snapshotRestoresOf(
  temporal: Temporal,
  taskQueue: string = defaultTaskQueue,
): SnapshotRestoreClient {
  return new SnapshotRestoreClient(temporal.client, taskQueue);
}

/** The task queue that workers of a cluster listen on. */
export function clusterTaskQueue(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  return resolveSetting({
    flag: { name: '--task-queue', value: flag },
    variable: { name: 'THAW_TASK_QUEUE', env },
    fallback: defaultTaskQueue,
  }).value;
}

interface Holding {
  readonly kind: Temporal['kind'];
  readonly uiUrl: string | null;
  /** Lets the server go. */
  release(): Promise<void>;
}

async function open(place: TemporalPlace, { kind, uiUrl, release }: Holding): Promise<Temporal> {
  try {
    // The options of native connections are those of this one as far as the environment sets them.
    const connection = await Connection.connect(place.options as ConnectionOptions);
    const client = new Client({ connection, namespace: place.namespace });
    // The connection is left to the end of the process: a question still on its way would be asked again by
    // a timer of gRPC, which throws from there once the channel is closed.
    return { ...place, kind, uiUrl, client, close: release };
  } catch (error) {
    await release();
    throw unreachable(place.address, error);
  }
}

/** Whatever the environment says of TLS and keys is meant for another cluster. */
function standalonePlace(address: string, namespace: string): TemporalPlace {
  return { address, namespace, options: { address, tls: false } };
}

function standaloneNamespace(flags: TemporalFlags, env: NodeJS.ProcessEnv): string {
  return flags.namespace || env.TEMPORAL_NAMESPACE || 'default';
}

function unreachable(address: string, cause: unknown): ThawError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ThawError('ConfigInvalid', `the Temporal server ${address} cannot be reached (${reason})`, {
    object: address,
    hint: 'Check TEMPORAL_ADDRESS and that the server runs; `thaw restore` without TEMPORAL_ADDRESS runs its own.',
    cause,
  });
}
