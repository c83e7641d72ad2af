import { rm } from 'node:fs/promises';
import { withLock } from './lock.ts';
import { type LaunchOptions, launchServer } from './standalone-launch.ts';
import { makePlace, type StandalonePlace, trimLog } from './standalone-place.ts';
import { ensureNamespace, waitForAnswer } from './standalone-probe.ts';
import {
  discardServer,
  dismissServer,
  endServer,
  isRunning,
  readRecord,
  type ServerRecord,
  serverAddress,
} from './standalone-record.ts';
import { hasLiveUser, registerUser } from './standalone-users.ts';

/** Whose server to open, and how. */
export interface StandaloneOptions {
  /** The folder for state of this user: `stateDir` of the configuration. */
  readonly stateDir: string;
  /** Made when the server has none of that name. @default `TEMPORAL_NAMESPACE`, else `default` */
  readonly namespace?: string | undefined;
  /** Is told what takes time. */
  log(line: string): void;
  /** Gives up and leaves nothing half; without effect once the server is open. */
  readonly signal?: AbortSignal | undefined;
}

/** A Temporal server of this user, shared by all commands that run at the same time. */
export interface StandaloneServer {
  /** `127.0.0.1:port` of its gRPC frontend. */
  readonly address: string;
  /** Its web UI. */
  readonly uiUrl: string;
  /**
   * Leaves the server, and tells it to end when nobody else uses it, without waiting for that. What it knows
   * stays on disk.
   */
  release(): Promise<void>;
}

/** A server that is not heard of for so long hangs. Generous, since two loaded cores can be slow. */
const hangsAfterMs = 10_000;

/** What the holder of the lock does, for those who wait. */
const holder = 'which is starting or stopping the Temporal server';

/**
 * Gives the Temporal server of this user's state folder: the one that runs, even if the command that started
 * it was killed, or else a new one on the same database. There is never a second one on that database.
 *
 * Errors: `ConfigInvalid` when no server can be had or it does not start within a minute; an aborted signal
 * rejects with its reason.
 */
export async function openStandaloneServer(options: StandaloneOptions): Promise<StandaloneServer> {
  const place = await makePlace(options.stateDir);
  const namespace = options.namespace ?? (process.env.TEMPORAL_NAMESPACE || 'default');
  return await withLock(place.lock, { holder, ...options }, async () => {
    const user = await registerUser(place.users);
    try {
      const server = await findOrLaunch(place, options);
      await ensureNamespace(serverAddress(server), namespace);
      return openedServer(place, user, server, options);
    } catch (error) {
      await leave(place, user);
      throw error;
    }
  });
}

function openedServer(
  place: StandalonePlace,
  user: string,
  server: ServerRecord,
  options: StandaloneOptions,
): StandaloneServer {
  const { log } = options;
  let released: Promise<void> | null = null;
  return {
    address: serverAddress(server),
    uiUrl: `http://127.0.0.1:${server.uiPort}`,
    release() {
      released ??= withLock(place.lock, { holder, log }, () => leave(place, user));
      return released;
    },
  };
}

/** Under the lock: uses the server that runs, or ends what does not answer and starts one. */
async function findOrLaunch(place: StandalonePlace, options: LaunchOptions): Promise<ServerRecord> {
  await trimLog(place);
  const record = await readRecord(place);
  if (record !== null && isRunning(record)) {
    if (record.ready && (await answers(record, options.signal))) return record;
    if (!record.ending) {
      options.log(`the Temporal server of process ${record.pid} does not answer: it is started anew`);
    }
    await endServer(record, record.ending ? 10_000 : 2_000);
  }
  return await launchServer(place, record, options);
}

async function answers(record: ServerRecord, signal: AbortSignal | undefined): Promise<boolean> {
  const failure = await waitForAnswer(serverAddress(record), {
    timeoutMs: hangsAfterMs,
    signal,
    stillRuns: () => isRunning(record),
  });
  return failure === null;
}

/** Under the lock: the last one to leave ends the server; one that never became ready is of use to nobody. */
async function leave(place: StandalonePlace, user: string): Promise<void> {
  await rm(user, { force: true });
  const record = await readRecord(place);
  const used = await hasLiveUser(place.users);
  if (record === null || record.ending) return;
  if (!record.ready) await discardServer(place, record);
  else if (!used) await dismissServer(place, record);
}
