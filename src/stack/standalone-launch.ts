import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import { freePort } from './port.ts';
import { describeProcess } from './process-identity.ts';
import type { StandalonePlace } from './standalone-place.ts';
import { waitForAnswer } from './standalone-probe.ts';
import { endServer, isRunning, type ServerRecord, serverAddress, writeRecord } from './standalone-record.ts';
import { temporalServerVersion } from './temporal-server.ts';
import { obtainTool } from './tool.ts';

/** How to start. */
export interface LaunchOptions {
  log(line: string): void;
  readonly signal?: AbortSignal | undefined;
}

const readyWithinMs = 60_000;

/** Between choosing a free port and listening on it, somebody else may take it. */
const attempts = 3;

/**
 * Starts a server and waits until it answers. It takes the ports of the one before it, if they are free:
 * commands that had used that one find it there again.
 *
 * When this throws, the record names what has to be stopped.
 */
export async function launchServer(
  place: StandalonePlace,
  previous: ServerRecord | null,
  options: LaunchOptions,
): Promise<ServerRecord> {
  const executable = await obtainTool('temporal', {
    log: options.log,
    ...(options.signal && { signal: options.signal }),
  });
  const database = join(place.folder, `server-${await temporalServerVersion(executable)}.db`);
  await discardHalfMade(database);
  options.log('starting a Temporal server');
  let reason: Error | null = null;
  for (let attempt = 0; attempt < attempts; attempt++) {
    options.signal?.throwIfAborted();
    const port = await freePort(attempt === 0 ? previous?.port : 0);
    const uiPort = await otherFreePort(port, attempt === 0 ? previous?.uiPort : 0);
    const record = await spawnServer(place, executable, { database, port, uiPort });
    reason = await waitForAnswer(serverAddress(record), {
      timeoutMs: readyWithinMs,
      signal: options.signal,
      stillRuns: () => isRunning(record),
    });
    if (reason === null) return await declareReady(place, record);
    await endServer(record, 0);
  }
  throw new ThawError('ConfigInvalid', 'the Temporal server does not start', {
    object: place.folder,
    hint: `Its output is in ${place.log}. Or run a Temporal server yourself and set TEMPORAL_ADDRESS.`,
    cause: reason,
  });
}

/**
 * The server makes its schema only when there is no file, and not in one transaction: a start that was cut
 * off would leave a database that no later start can use. Nothing is lost with it, since nobody was told of
 * the server before it was ready.
 */
async function discardHalfMade(database: string): Promise<void> {
  if (!existsSync(database)) await rm(completeMark(database), { force: true });
  if (existsSync(completeMark(database))) return;
  await rm(database, { force: true });
  await rm(`${database}-journal`, { force: true });
}

async function declareReady(place: StandalonePlace, starting: ServerRecord): Promise<ServerRecord> {
  await writeFile(completeMark(starting.database), '');
  const record = { ...starting, ready: true };
  await writeRecord(place, record);
  return record;
}

/** A file beside the database, there once the schema is complete. */
function completeMark(database: string): string {
  return `${database}.complete`;
}

async function otherFreePort(taken: number, preferred = 0): Promise<number> {
  let port = await freePort(preferred);
  while (port === taken) port = await freePort();
  return port;
}

/**
 * Runs the server in a session of its own, so that neither Ctrl-C nor the end of this command reaches it. The
 * shell before it waits for the word to go on, which is given once the record is on disk; should this process
 * die before, the shell reads the end of the file instead and gives up. So there never is an unknown server.
 */
async function spawnServer(
  place: StandalonePlace,
  executable: string,
  server: Pick<ServerRecord, 'database' | 'port' | 'uiPort'>,
): Promise<ServerRecord> {
  const output = await open(place.log, 'a', 0o600);
  let child: ChildProcess | undefined;
  try {
    const script = 'read -r word && exec "$@" < /dev/null';
    child = spawn('/bin/sh', ['-c', script, 'sh', executable, ...serverArguments(server)], {
      // Else the server would keep the folder in use that the command was typed in.
      cwd: place.folder,
      env: serverEnvironment(),
      detached: true,
      stdio: ['pipe', output.fd, output.fd],
    });
    await once(child, 'spawn');
    // A shell that is gone already cannot be told; that it is gone is seen when the server does not answer.
    child.stdin?.on('error', () => undefined);
    child.unref();
    const shell = describeProcess(child.pid ?? 0);
    if (shell === null) throw new ThawError('ConfigInvalid', 'the shell that starts Temporal ended at once');
    const record = { pid: shell.pid, startedAt: shell.startedAt, ...server, ready: false, ending: false };
    await writeRecord(place, record);
    child.stdin?.write('go\n');
    return record;
  } finally {
    child?.stdin?.end();
    await output.close();
  }
}

function serverArguments(server: Pick<ServerRecord, 'database' | 'port' | 'uiPort'>): string[] {
  return [
    ...['server', 'start-dev', '--db-filename', server.database, '--namespace', 'default'],
    ...['--ip', '127.0.0.1', '--port', String(server.port)],
    ...['--ui-ip', '127.0.0.1', '--ui-port', String(server.uiPort)],
    // Off by default in the development server; saves a round trip for each activity.
    ...['--dynamic-config-value', 'system.enableActivityEagerExecution=true'],
    // It would ask the network for a newer version.
    ...['--dynamic-config-value', 'frontend.enableServerVersionCheck=false'],
    ...['--log-level', 'warn'],
  ];
}

/** No more than it needs: it may outlive the command by far, whose environment holds passwords and keys. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'GOMAXPROCS', 'GOMEMLIMIT', 'GOGC'];
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
