import { once } from 'node:events';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { Client, type ConnectionLike } from '@temporalio/client';
import type { Logger } from 'pino';
import { authSettings } from '../auth/auth-settings.ts';
import { TokenVerifier } from '../auth/verify-token.ts';
import { AllowedPlaces } from '../bundle/source-url.ts';
import { DrillClient } from '../client/drill-client.ts';
import { DrillSchedules } from '../client/drill-schedules.ts';
import { DumpClient } from '../client/dump-client.ts';
import { ExtractClient } from '../client/extract-client.ts';
import { listRecordedDrills } from '../client/recorded-drills.ts';
import { RestoreClient } from '../client/restore-client.ts';
import { SnapshotClient } from '../client/snapshot-client.ts';
import { SnapshotRestoreClient } from '../client/snapshot-restore-client.ts';
import { SystemClient } from '../client/system-client.ts';
import { UndoClient } from '../client/undo-client.ts';
import { findDatabase } from '../config/database-config.ts';
import { type LoadedSystem, loadSystems } from '../config/load-system.ts';
import { snapshotRestoresPerHour } from '../config/snapshot-limit.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { openControlDatabase } from '../control/control-database.ts';
import { knownDumps } from '../dump/choose/known-dumps.ts';
import { swapServiceBack } from '../dump/swap/swap-service-back.ts';
import { previewRestore } from '../preview/restore-preview.ts';
import { openStore } from '../store/open-store.ts';
import { createApp } from './app.ts';
import { tokenAuthenticator } from './auth.ts';
import { bundleSettings } from './bundle-settings.ts';
import { ExtractRuns } from './extract-runs.ts';
import { imageRemoval } from './old-images.ts';
import { RateLimit, startsPerMinute } from './rate-limit.ts';
import { Reconciler } from './reconciler.ts';
import {
  findDrill,
  findDump,
  findRecorded,
  findSnapshotRestore,
  undoExtentOf,
  undoStandingOf,
} from './recorded-restores.ts';
import { removeExpired, removeOld } from './removal.ts';
import { configuredRunKeep } from './run-keep.ts';
import { settleSnapshots } from './settled-snapshots.ts';
import { SnapshotChoices } from './snapshot-choices.ts';
import { SnapshotLooks } from './snapshot-looks.ts';
import { Selections } from './snapshot-selections.ts';
import { admitSnapshot, listSnapshotHistory, snapshotTools } from './snapshot-tools.ts';
import { Snapshots } from './snapshots.ts';
import { Sources } from './sources/sources.ts';
import { configuredTenantColumn } from './tenant-part.ts';
import { Upkeep } from './upkeep.ts';

/** A connection to Temporal and the namespace to use there. */
export interface TemporalAccess {
  readonly connection: ConnectionLike;
  readonly namespace: string;
}

/** What the API is started with. */
export interface ApiOptions {
  readonly config: ThawConfig;
  /** How tokens are checked, and the passwords of databases, are read from it. */
  readonly env: NodeJS.ProcessEnv;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Stays the caller's: it is not closed with the API. One of `openTemporal` need not be there yet. */
  readonly temporal: TemporalAccess;
  readonly taskQueue: string;
  readonly logger: Logger;
  /** How often active runs are compared with Temporal. @default 5 */
  readonly reconcileSeconds?: number;
  readonly onListening?: (url: string) => void;
}

/** An API that listens. */
export interface RunningApi {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Takes no more requests, answers those under way (10 s at most), and ends. */
  close(): Promise<void>;
}

/** Milliseconds that a request may take to come in. */
const longestRequest = 3_600_000;

/** Milliseconds that requests under way have left when the API closes: a question to a worker takes as long. */
const closeGrace = 10_000;

/**
 * Starts the HTTP API.
 *
 * @throws ThawError `ConfigInvalid` when there is nothing to check tokens with, no control database is named, a
 *   setting of bundles is wrong, or it cannot listen there
 */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { config, env, host = '127.0.0.1', port, temporal, taskQueue, logger } = options;
  const verifier = new TokenVerifier(authSettings(env));
  const perMinute = startsPerMinute(env);
  const bundles = bundleSettings(config, env);
  const runKeep = configuredRunKeep(env);
  const perHour = snapshotRestoresPerHour(env);
  const tenantColumn = configuredTenantColumn(env);
  const control = openControlDatabase(env);
  const store = openStore(config.store, env);
  const client = new Client(temporal);
  const restores = new RestoreClient(client, taskQueue);
  const systems = new SystemClient(client, taskQueue);
  const place = { store, prefix: config.store.prefix };
  const tools = snapshotTools(config, env, place);
  const snapshots = new Snapshots({
    ...{ config, env, control, place, tools, tenantColumn },
    client: new SnapshotClient(client, taskQueue),
  });
  const choices = new SnapshotChoices({ config, snapshots, tools, tenantColumn });
  const looks = new SnapshotLooks(tools);
  const selections = new Selections({ control, place, settings: bundles });
  const settle = settleSnapshots(env, place, client, logger);
  const systemsThere = () => knownSystems(config, env);
  const sources = new Sources({
    config,
    allowedUrls: new AllowedPlaces(env.THAW_URL_ALLOW),
    bundles,
    restores,
    preview: (request, how) => previewRestore(request, { config, env, ...how }),
    findRecorded: (restoreId) => findRecorded(config, env, restoreId),
    extentOf: (request) => undoExtentOf(request, config, env),
    standingOf: (request) => undoStandingOf(request, config, env),
    dumps: new DumpClient(client, taskQueue),
    drills: new DrillClient(client, taskQueue),
    systems,
    undos: new UndoClient(client, taskQueue),
    loadSystems: systemsThere,
    findDump: (restoreId) => findDump(config, env, restoreId),
    findDrill: (drillId) => findDrill(config, env, drillId),
    snapshotChoices: choices,
    snapshotLooks: looks,
    snapshotSelections: selections,
    snapshotRestores: new SnapshotRestoreClient(client, taskQueue),
    findSnapshotRestore: (restoreId) => findSnapshotRestore(config, env, restoreId),
    settleSnapshots: (database) => settle(findDatabase(config, database)),
    admitSnapshot: (...restore) => admitSnapshot(config, env, perHour, ...restore),
  });
  const reconciler = new Reconciler({ control, restores, sources, logger });
  const extracts = new ExtractRuns({
    config,
    control,
    client: new ExtractClient(client, taskQueue),
    settings: bundles,
    logger,
  });
  const upkeep = new Upkeep(
    [
      { what: 'bundles removed whose time is over', work: () => removeExpired(control, store) },
      { what: 'runs of extracts compared with Temporal', work: () => extracts.reconcile() },
      ...(runKeep === null
        ? []
        : [
            { what: 'runs removed whose time is over', work: () => removeOld(control, runKeep) },
            { what: 'restores that can be undone no more', work: imageRemoval(config, env, runKeep) },
          ]),
    ],
    30,
    logger,
  );
  const { reconcileSeconds = 5 } = options;
  const watch = new Upkeep(
    [{ what: 'runs found ended in Temporal', work: () => reconciler.pass(reconcileSeconds) }],
    reconcileSeconds,
    logger,
  );
  const release = async () => {
    await Promise.all([upkeep.stop(), watch.stop()]);
    store.close();
    await control.close();
  };
  const app = createApp({
    config,
    control,
    restores,
    sources,
    reconciler,
    readiness: async () => {
      const [there, kept] = await Promise.all([answers(temporal), control.answers()]);
      return { configuration: true, temporal: there, database: kept };
    },
    authenticator: tokenAuthenticator(verifier),
    rateLimit: new RateLimit(control, perMinute),
    logger,
    store,
    bundles,
    extracts,
    listDrills: (visible, subject, limit) => listRecordedDrills(visible, env, subject, limit),
    drillSchedules: new DrillSchedules(client, taskQueue),
    loadSystems: systemsThere,
    decide: (runId, decision) => systems.decide(runId, decision),
    snapshots,
    snapshotLooks: { choices, looks, selections },
    snapshotHistory: {
      tenantColumn,
      listHistory: async (database, query, tenant) => {
        await settle(database);
        return listSnapshotHistory(database, env, query, tenant);
      },
    },
    services: {
      dumps: (service, wanted, signal) => knownDumps(service, wanted, env, signal),
      swapBack: (order) => swapServiceBack(order, env),
    },
  });
  const server = createAdaptorServer({ fetch: app.fetch, hostname: host }) as Server;
  // Bodies that are too slow are told so by the routes; a large one may take its time.
  server.requestTimeout = longestRequest;
  try {
    await listen(server, host, port);
  } catch (error) {
    await release();
    throw error;
  }
  upkeep.start();
  watch.start();
  const url = urlOf(server, host);
  options.onListening?.(url);
  return { url, close: () => close(server).finally(release) };
}

/** The systems of `system.yaml`; most installations have none. @throws ThawError `ConfigInvalid` */
async function knownSystems(config: ThawConfig, env: NodeJS.ProcessEnv): Promise<readonly LoadedSystem[]> {
  try {
    return await loadSystems(config, env);
  } catch (error) {
    const cause = error instanceof ThawError ? error.cause : null;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether Temporal answers, and has the namespace. */
async function answers({ connection, namespace }: TemporalAccess): Promise<boolean> {
  try {
    await connection.withDeadline(Date.now() + 3000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return true;
  } catch {
    return false;
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'it failed';
    throw new ThawError('ConfigInvalid', `cannot listen on ${host}:${port}: ${reason}`, {
      object: `${host}:${port}`,
      hint: 'Name another --host or --port; port 0 is any that is free.',
      cause: error,
    });
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const timer = setTimeout(() => server.closeAllConnections(), closeGrace);
  await closed;
  clearTimeout(timer);
}
