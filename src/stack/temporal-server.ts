import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { ThawError } from '../contract/thaw-error.ts';
import type { PortBook } from './port.ts';
import { endLeftover, type RunningProcess, startProcess, waitUntilReady } from './process.ts';

/** How to run the Temporal development server. */
export interface TemporalServerOptions {
  /** The Temporal CLI, as `obtainTool` gives it. */
  readonly executable: string;
  /** State folder. */
  readonly folder: string;
  readonly ports: PortBook;
  /** Keeps workflows over restarts, in a file of the folder; otherwise in memory. */
  readonly persistent: boolean;
  /** Serves the web UI too. */
  readonly ui: boolean;
  /** Tried first where the folder remembers none. @default 0, any */
  readonly preferredPort?: number;
  /** Settings of the server besides those it needs, `key=JSON`: tests lower limits by them. */
  readonly dynamicConfig?: readonly string[];
}

/** A Temporal server that answers, with its namespace `default`. */
export interface TemporalServer {
  readonly process: RunningProcess;
  /** `127.0.0.1:port` of the gRPC frontend. */
  readonly address: string;
  readonly uiUrl: string | null;
}

/**
 * Starts `temporal server start-dev` on 127.0.0.1 and waits until its namespace answers over gRPC.
 * A server that an earlier run left behind on the same folder is ended first: never two on one file.
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const { folder, ports, ui } = options;
  await endLeftover(folder, 'temporal');
  const preferred = options.preferredPort ?? 0;
  const file = options.persistent ? await databaseFile(options.executable, folder) : null;
  return ports.start('temporal', preferred, (port) =>
    ui
      ? ports.start('temporal-ui', preferred === 0 ? 0 : preferred + 1000, (uiPort) =>
          launch(options, file, port, uiPort),
        )
      : launch(options, file, port, null),
  );
}

async function launch(
  options: TemporalServerOptions,
  file: string | null,
  port: number,
  uiPort: number | null,
): Promise<TemporalServer> {
  const server = await startProcess({
    name: 'temporal',
    folder: options.folder,
    command: options.executable,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
      ...(uiPort === null ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)]),
      ...(file === null ? [] : ['--db-filename', file]),
      ...['--log-level', 'warn', '--log-format', 'json'],
      // Off by default in the development server; saves a round trip for each activity.
      ...['--dynamic-config-value', 'system.enableActivityEagerExecution=true'],
      // It would ask the network for a newer version.
      ...['--dynamic-config-value', 'frontend.enableServerVersionCheck=false'],
      ...(options.dynamicConfig ?? []).flatMap((value) => ['--dynamic-config-value', value]),
    ],
    env: withoutTemporalSettings(process.env),
  });
  const address = `127.0.0.1:${port}`;
  await waitUntilReady(server, 60_000, () => namespaceAnswers(address));
  return { process: server, address, uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}` };
}

/**
 * The version of the server inside a Temporal CLI, such as `1.29.1`.
 *
 * Errors: `ConfigInvalid` when the file is no Temporal CLI.
 */
export async function temporalServerVersion(executable: string): Promise<string> {
  const { stdout } = await promisify(execFile)(executable, ['--version'], { timeout: 30_000 });
  const version = /Server (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new ThawError('ConfigInvalid', `${executable} is no Temporal CLI`);
  return version;
}

/** The server creates its schema but never migrates it, so each version has a file of its own. */
async function databaseFile(executable: string, folder: string): Promise<string> {
  const data = path.join(folder, 'temporal');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  return path.join(data, `server-${await temporalServerVersion(executable)}.db`);
}

async function namespaceAnswers(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 1_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    return true;
  } finally {
    await connection.close();
  }
}

/** The CLI takes TEMPORAL_* as its own flags, and they mean some other cluster. */
export function withoutTemporalSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}
