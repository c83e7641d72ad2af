import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { pino } from 'pino';
import { type RunningApi, startApi } from '../../src/api/server.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import type { ThawConfig } from '../../src/config/thaw-config.ts';
import { loadSchema } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { testAuthorization, tokenEnv } from '../harness/token.ts';
import { type Answer, post, read } from './fake-restores.ts';

/** The table that the restores of a site bring back: 2500 rows of nine archives. */
export const table = 'public.audit_logs';

/** Where an API of a site is otherwise than the others. */
export interface ApiPlace {
  readonly config?: ThawConfig;
  readonly env?: NodeJS.ProcessEnv;
  readonly taskQueue?: string;
  readonly reconcileSeconds?: number;
}

/** The real API with all that it needs: control database, Temporal, worker, archives. */
export interface ApiSite {
  readonly thaw: TestThaw;
  /** Starts another process of the API, as it were: two share nothing but Temporal and the control database. */
  listen(place?: ApiPlace): Promise<RunningApi>;
  /** Keeps rows out of the table until it is released; reading it still works. */
  holdTable(): Promise<void>;
  releaseTable(): Promise<void>;
  /** Closes the APIs that were started, and releases the table. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** @param name begins the names of database and task queue */
export async function createApiSite(name: string): Promise<ApiSite> {
  const thaw = await createTestThaw(name);
  await loadSchema(thaw.pg, 'audit-logs');
  await thaw.bucket.putFixture('audit-logs', undefined, thaw.database.name);
  let apis: RunningApi[] = [];
  let holder: pg.Client | null = null;
  const releaseTable = async () => {
    await holder?.end();
    holder = null;
  };
  const reset = async () => {
    await releaseTable();
    await Promise.all(apis.map((api) => api.close()));
    apis = [];
  };
  return {
    thaw,
    listen: async (place = {}) => {
      const { config = thaw.config, env, taskQueue = thaw.temporal.taskQueue, reconcileSeconds = 5 } = place;
      const api = await startApi({
        config,
        env: { ...tokenEnv, THAW_DATABASE_URL: thaw.database.url, ...env },
        port: 0,
        temporal: openTemporal({ TEMPORAL_ADDRESS: thaw.temporal.address, ...env }),
        taskQueue,
        logger: pino({ level: 'silent' }),
        reconcileSeconds,
      });
      apis.push(api);
      return api;
    },
    holdTable: async () => {
      holder = await thaw.database.client();
      await holder.query('begin');
      await holder.query(`lock table ${table} in share mode`);
    },
    releaseTable,
    reset,
    close: async () => {
      await reset();
      await thaw.close();
    },
  };
}

/** A request as somebody who may do everything. */
export async function send(
  api: RunningApi | undefined,
  path: string,
  init: RequestInit = {},
): Promise<Answer> {
  const authorization = await testAuthorization();
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization };
  return read(await fetch(`${api?.url}${path}`, { ...init, headers }));
}

/** Asks for a run until it has one of some states; what it was last is told when that takes too long. */
export async function runIn(
  api: RunningApi | undefined,
  id: string,
  states: readonly string[],
): Promise<Answer['json']['data']> {
  for (const began = Date.now(); ; ) {
    const { status, json } = await send(api, `/api/runs/${id}`);
    const state = String(json.data?.state);
    if (states.includes(state)) return json.data;
    const ended = /^(completed|failed|cancelled)/.test(state);
    if (ended || Date.now() - began > 40_000) {
      throw new Error(`the run should be ${states.join(' or ')}, but: ${status} ${JSON.stringify(json)}`);
    }
    await sleep(50);
  }
}

/** Saves a restore of the table, with every archive brought again. @returns its id */
export async function save(site: ApiSite, api: RunningApi, changes: object = {}): Promise<string> {
  const options = { database: site.thaw.database.name, table: 'audit_logs', ignore_watermark: true };
  const body = { name: 'Nightly', source_type: 'archives', options, ...changes };
  const { status, json } = await send(api, '/api/data/restores', post(body));
  if (status !== 201) throw new Error(JSON.stringify(json));
  return String(json.data.id);
}
