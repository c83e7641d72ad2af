import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { inject } from 'vitest';
import { SystemClient } from '../../src/client/system-client.ts';
import { findSystem, parseSystems, systemFingerprint } from '../../src/config/load-system.ts';
import type { SystemRequest } from '../../src/contract/system-request.ts';
import { runHook } from '../../src/dump/system/hook.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { pgDump } from '../harness/client-programs.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { isAlive } from '../harness/process-alive.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

const example = path.join(import.meta.dirname, '../../examples/two-services');

/** The two services of the example, each with its live database, and everything that restores them. */
export interface SystemSite {
  readonly thaw: TestThaw;
  /** A folder of its own. */
  readonly folder: string;
  readonly systems: SystemClient;
  /** The live databases. */
  readonly live: Readonly<Record<Service, TestDatabase>>;
  /** What a command needs to restore the system. */
  readonly env: NodeJS.ProcessEnv;
  request(rest?: Partial<SystemRequest>): SystemRequest;
  /** Changes the system of the example for the restores to come. */
  change(edit: (text: string) => string): Promise<void>;
  /** Runs the services, as they would before a restore. */
  startServices(): Promise<void>;
  /** Runs statements in the live database of a service. */
  query(service: Service, sql: string): Promise<Record<string, unknown>[]>;
  /** Puts a dump of what is live into the folder, under a time of day. */
  dump(service: Service, time: string, edit?: (bytes: Buffer) => Buffer): Promise<void>;
  /** Takes a dump away. */
  remove(service: Service, time: string): Promise<void>;
  /** What a service answers; null where it does not run. */
  ask(service: Service): Promise<number | null>;
  /** Ids of the processes of the services that run. */
  running(): Promise<number[]>;
  /** Databases that belong to the live ones, without these. */
  others(): Promise<string[]>;
  close(): Promise<void>;
}

export type Service = 'argus' | 'hermes';
const services = ['argus', 'hermes'] as const;
const rows = { argus: 'users', hermes: 'transactions' } as const;

/**
 * @param name begins the names of databases
 * @param more what system.yaml has besides the example
 * @param moreEnv further variables of the worker
 */
export async function createSystemSite(
  name: string,
  more: string,
  moreEnv: NodeJS.ProcessEnv,
): Promise<SystemSite> {
  const live = {
    argus: await createTestDatabase(`${name}_argus`),
    hermes: await createTestDatabase(`${name}_hermes`),
  };
  const folder = await mkdtemp(path.join(inject('stack').folder, 'system-'));
  const backups = path.join(folder, 'backups');
  await mkdir(backups);
  const ports = { argus: await freePort(), hermes: await freePort() };
  const file = path.join(folder, 'system.yaml');
  const text = `${readFileSync(path.join(example, 'system.yaml'), 'utf8')}${more}\n`;
  await writeFile(file, text);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    ...moreEnv,
    THAW_SYSTEM: file,
    BACKUP_DIR: backups,
    SERVICE_SCRIPT: path.join(example, 'service.mjs'),
    ...variables('ARGUS', live.argus, ports.argus),
    ...variables('HERMES', live.hermes, ports.hermes),
  };
  const thaw = await createTestThaw(name, 'worker', {
    services: services.map((service) => {
      const { host, port, user, password, name: database } = live[service];
      return { name: service, host, port, user, password, database, dumps: { folder: backups } };
    }),
    env,
  });
  const dumpFile = (service: Service, time: string) =>
    path.join(backups, `${service}_20250101_${time}.sql.gz`);
  const site: SystemSite = {
    ...{ thaw, folder, env, live, systems: new SystemClient(thaw.client, thaw.temporal.taskQueue) },
    request: (rest = {}) => {
      const loaded = parseSystems(text, file, env).map((system) => ({ file, system }));
      const { system } = findSystem(loaded, null);
      return {
        ...{ restoreId: `${name}-${Math.random().toString(36).slice(2)}`, system: system.name },
        ...{ fingerprint: systemFingerprint(system), before: null, waitSeconds: null, heartbeatSeconds: 5 },
        ...rest,
      };
    },
    change: (edit) => writeFile(file, edit(text)),
    startServices: async () => {
      const [system] = parseSystems(text, file, env);
      if (system === undefined) throw new Error('the example has no system');
      const setting = { system, file, env, signal: new AbortController().signal };
      for (const kind of ['start', 'health'] as const) {
        for (const index of [0, 1]) await runHook(kind, index, setting);
      }
    },
    query: async (service, sql) => {
      const client = await live[service].client();
      try {
        const results: unknown = await client.query(sql);
        return ((Array.isArray(results) ? results.at(-1) : results) as { rows: Record<string, unknown>[] })
          .rows;
      } finally {
        await client.end();
      }
    },
    dump: async (service, time, edit = (bytes) => bytes) => {
      const plain = await pgDump(live[service], '--no-owner');
      await writeFile(dumpFile(service, time), edit(await promisify(gzip)(plain)));
    },
    remove: (service, time) => rm(dumpFile(service, time)),
    ask: async (service) => {
      try {
        const answer = await fetch(`http://127.0.0.1:${ports[service]}/api/${rows[service]}`);
        return ((await answer.json()) as { count: number }).count;
      } catch {
        return null;
      }
    },
    running: async () => {
      const pids = await Promise.all(
        services.map((service) => readFile(path.join(folder, `${service}.pid`), 'utf8').catch(() => '')),
      );
      return pids.filter((pid) => pid !== '' && isAlive(Number(pid))).map(Number);
    },
    others: async () => {
      const client = await thaw.database.client();
      const { rows: found } = await client.query<{ datname: string }>(
        'select datname from pg_database where datname like any ($1) and datname <> all ($2) order by 1',
        [services.map((service) => `${live[service].name}%`), services.map((service) => live[service].name)],
      );
      await client.end();
      return found.map(({ datname }) => datname);
    },
    close: async () => {
      for (const pid of await site.running()) process.kill(pid);
      const others = await site.others();
      await thaw.close();
      for (const other of others) {
        await asAdministrator(`drop database if exists ${quoteIdentifier(other)} with (force)`);
      }
      await Promise.all([live.argus.drop(), live.hermes.drop()]);
      await rm(folder, { recursive: true });
    },
  };
  return site;
}

function variables(prefix: string, database: TestDatabase, httpPort: number): NodeJS.ProcessEnv {
  return {
    [`${prefix}_DB_HOST`]: database.host,
    [`${prefix}_DB_PORT`]: String(database.port),
    [`${prefix}_DB_USER`]: database.user,
    [`${prefix}_DB_PASSWORD`]: database.password,
    [`${prefix}_DB_NAME`]: database.name,
    [`${prefix}_HTTP_PORT`]: String(httpPort),
  };
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
