import type pg from 'pg';
import type { ServiceConfig, ThawConfig } from '../config/thaw-config.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { listDumpRestores, readDumpRestore, type StoredDumpRestore } from '../postgres/dump-records.ts';

/** What the servers of services know of restores of dumps, and which of them could not be asked. */
export interface RecordedDumps {
  /** The newest first. */
  readonly restores: readonly StoredDumpRestore[];
  readonly unanswered: readonly { readonly database: string; readonly error: unknown }[];
}

/**
 * Looks for a restore in `thaw.dump_restores` of each server: it answers without Temporal, and after its retention.
 *
 * @param database only the server of this one; null: all
 */
export async function findRecordedDump(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
  database: string | null,
): Promise<RecordedDumps> {
  return ask(config, env, database, async (client) => {
    const restore = await readDumpRestore(client, restoreId);
    return restore === null ? [] : [restore];
  });
}

/** The latest restores of dumps, at most `limit` of each server. */
export async function listRecordedDumps(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  database: string | null,
  limit: number,
): Promise<RecordedDumps> {
  const found = await ask(config, env, database, (client) => listDumpRestores(client, null, limit));
  const restores = found.restores
    .filter(({ request }) => database === null || request.database === database)
    .toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  return { ...found, restores };
}

async function ask(
  { services }: ThawConfig,
  env: NodeJS.ProcessEnv,
  database: string | null,
  question: (client: pg.Client) => Promise<StoredDumpRestore[]>,
): Promise<RecordedDumps> {
  const asked = services.filter(({ connection }) => database === null || connection.name === database);
  const servers = new Map(asked.map((service) => [placeOf(service), service]));
  const answers = await Promise.allSettled(
    Array.from(servers.values(), ({ connection, maintenance }) =>
      withDatabase({ ...connection, name: maintenance }, env, { applicationName: 'thaw/status' }, question),
    ),
  );
  const places = [...servers.keys()];
  return {
    restores: answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])),
    unanswered: answers.flatMap((answer, index) =>
      answer.status === 'rejected'
        ? [{ database: places[index] ?? '', error: answer.reason as unknown }]
        : [],
    ),
  };
}

function placeOf({ connection: { host, port }, maintenance }: ServiceConfig): string {
  return `${maintenance} on ${host}:${port}`;
}
