import path from 'node:path';
import { PortBook } from './port.ts';
import { type PostgresServer, startPostgresServer } from './postgres-server.ts';
import type { RunningProcess } from './process.ts';
import { type S3Gateway, startS3Gateway } from './s3-gateway.ts';
import { openStateFolder, type Secrets } from './state-file.ts';
import { startTemporalServer, type TemporalServer } from './temporal-server.ts';
import { obtainTool } from './tool.ts';

/** How to run the three servers that Thaw needs. */
export interface StackOptions {
  /** State folder; made when it is not there. */
  readonly folder: string;
  readonly bucket: string;
  /** false, for tests: Temporal in memory and without UI, PostgreSQL without fsync. */
  readonly durable: boolean;
  /** Ports to try first where the folder remembers none. */
  readonly preferredPorts?: { readonly temporal: number; readonly s3: number; readonly postgres: number };
  /** Connections that PostgreSQL allows. @default 100 */
  readonly maxConnections?: number;
  readonly log: (line: string) => void;
  /** Stops the obtaining of a tool, which may take minutes. */
  readonly signal?: AbortSignal;
}

/** The three servers, ready to be used. */
export interface Stack {
  readonly folder: string;
  readonly secrets: Secrets;
  readonly ports: PortBook;
  readonly temporal: TemporalServer;
  readonly s3: S3Gateway;
  readonly postgres: PostgresServer;
  /** The three again, for whoever keeps them up. */
  readonly servers: readonly {
    readonly process: RunningProcess;
    readonly restart: () => Promise<{ readonly process: RunningProcess }>;
  }[];
  /** Stops all three; what is durable is kept in the folder. */
  stop(): Promise<void>;
}

/**
 * Starts Temporal, the S3 gateway and PostgreSQL on 127.0.0.1. When one of them fails, the others are
 * stopped again before the error is thrown.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = path.resolve(options.folder);
  const secrets = openStateFolder(folder);
  const ports = new PortBook(folder);
  const temporalCli = await obtainTool('temporal', options);
  const versitygw = await obtainTool('versitygw', options);
  const preferred = options.preferredPorts ?? { temporal: 0, s3: 0, postgres: 0 };

  const start = {
    temporal: () =>
      startTemporalServer({
        executable: temporalCli,
        folder,
        ports,
        persistent: options.durable,
        ui: options.durable,
        preferredPort: preferred.temporal,
      }),
    s3: () =>
      startS3Gateway({
        executable: versitygw,
        folder,
        ports,
        accessKeyId: secrets.s3AccessKeyId,
        secretAccessKey: secrets.s3SecretAccessKey,
        bucket: options.bucket,
        preferredPort: preferred.s3,
      }),
    postgres: () =>
      startPostgresServer({
        folder,
        ports,
        id: secrets.id,
        password: secrets.postgresPassword,
        durable: options.durable,
        preferredPort: preferred.postgres,
        ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
      }),
  };
  const starting = [start.temporal(), start.s3(), start.postgres()] as const;
  const settled = await Promise.allSettled(starting);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stopAll(settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
    throw failed.reason;
  }
  const [temporal, s3, postgres] = await Promise.all(starting);
  const servers = [
    { process: temporal.process, restart: start.temporal },
    { process: s3.process, restart: start.s3 },
    { process: postgres.process, restart: start.postgres },
  ];
  return { folder, secrets, ports, temporal, s3, postgres, servers, stop: () => stopAll(servers) };
}

async function stopAll(servers: readonly { process: { stop(): Promise<void> } }[]): Promise<void> {
  await Promise.all(servers.map((server) => server.process.stop()));
}
