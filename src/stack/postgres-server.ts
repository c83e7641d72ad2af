import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { PortBook } from './port.ts';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';
import { folderOf, postgresUser } from './postgres-user.ts';
import {
  endLeftover,
  type ProcessUser,
  type RunningProcess,
  startProcess,
  waitUntilReady,
} from './process.ts';
import { describeProcess, endProcess } from './process-identity.ts';

/** How to run PostgreSQL. */
export interface PostgresServerOptions {
  /** State folder; the data lies in it, or in /var/lib/thaw where root's state folder is closed to others. */
  readonly folder: string;
  readonly ports: PortBook;
  /** Names the folder's data outside of it. */
  readonly id: string;
  /** Password of the superuser `postgres`; set when the data is made. */
  readonly password: string;
  /** false: faster, and not safe against a crash of the machine; for tests. */
  readonly durable: boolean;
  /** @default 100 */
  readonly maxConnections?: number;
  /** Tried first where the folder remembers none. @default 0, any */
  readonly preferredPort?: number;
}

/** A PostgreSQL server that accepts connections. */
export interface PostgresServer {
  readonly process: RunningProcess;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Connection string of one of its databases. */
  url(database: string): string;
}

/** Starts PostgreSQL on 127.0.0.1, makes its data on the first start, and waits until it accepts connections. */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const user = postgresUser();
  const binaries = postgresBinaries(user);
  await endLeftover(options.folder, 'postgres');
  const home = folderOf(user, path.join(options.folder, 'postgres'), options.id);
  const data = path.join(home, 'data');
  if (!existsSync(data)) await makeData(binaries, user, home, data, options);
  return options.ports.start('postgres', options.preferredPort ?? 0, async (port) => {
    await clearPidFile(data);
    return launch(options, { binaries, user, data }, port);
  });
}

/** What is known of the place before the port is. */
interface Place {
  readonly binaries: PostgresBinaries;
  readonly user: ProcessUser | null;
  readonly data: string;
}

async function launch(
  options: PostgresServerOptions,
  { binaries, user, data }: Place,
  port: number,
): Promise<PostgresServer> {
  const server = await startProcess({
    name: 'postgres',
    folder: options.folder,
    command: binaries.postgres,
    args: ['-D', data, ...settings(port, options).flatMap((setting) => ['-c', setting])],
    cwd: data,
    env: { ...process.env, TZ: 'UTC' },
    user,
    // Fast shutdown: SIGTERM would wait until the last client has left.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
  });
  const url = (database: string) =>
    `postgresql://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  // Recovery after a crash may take long.
  await waitUntilReady(server, 300_000, () => accepts(url('postgres')));
  return { process: server, host: '127.0.0.1', port, user: 'postgres', password: options.password, url };
}

function settings(port: number, options: PostgresServerOptions): string[] {
  const safe = ['fsync=on', 'full_page_writes=on'];
  const fast = ['fsync=off', 'full_page_writes=off', 'synchronous_commit=off'];
  return [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `port=${port}`,
    `max_connections=${options.maxConnections ?? 100}`,
    'shared_buffers=256MB',
    'max_wal_size=4GB',
    'timezone=UTC',
    'log_timezone=UTC',
    ...(options.durable ? safe : fast),
  ];
}

/** initdb under another name first: a half-made folder is never taken for data. */
async function makeData(
  binaries: PostgresBinaries,
  user: ProcessUser | null,
  home: string,
  data: string,
  options: PostgresServerOptions,
): Promise<void> {
  const suffix = randomBytes(4).toString('hex');
  const fresh = `${data}.${suffix}`;
  const passwordFile = path.join(home, `password.${suffix}`);
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (user !== null) chownSync(passwordFile, user.uid, user.gid);
  try {
    await promisify(execFile)(
      binaries.initdb,
      [
        ...['--pgdata', fresh, '--username=postgres', '--auth=scram-sha-256', '--pwfile', passwordFile],
        // The C locale is everywhere; sorting by another would bind the data to this machine's library.
        ...['--encoding=UTF8', '--locale=C', ...(options.durable ? [] : ['--no-sync'])],
      ],
      { ...(user ?? {}), cwd: home },
    );
    renameSync(fresh, data);
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    const said = (cause as { stderr?: string }).stderr?.trim() ?? String(cause);
    throw new ThawError('ConfigInvalid', `PostgreSQL could not make its data: ${said}`, {
      object: home,
      cause,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/**
 * After a kill, postmaster.pid stays behind. PostgreSQL passes over it when no such process is left, but
 * not when the pid belongs to something else by now; and a postmaster that still runs is ended here.
 */
async function clearPidFile(data: string): Promise<void> {
  const file = path.join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const found = describeProcess(Number(readFileSync(file, 'utf8').split('\n')[0]));
  if (found?.command.includes(data)) await endProcess(found, { signal: 'SIGINT', graceMs: 30_000 });
  rmSync(file, { force: true });
}

async function accepts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    await client.end();
  }
}
