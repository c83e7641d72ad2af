import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import { connectDatabase } from '../postgres/connect-database.ts';
import { listRestores, readRestore, type StoredRestore } from '../postgres/restores.ts';

/** What the target databases know of restores, and which of them could not be asked. */
export interface RecordedRestores<Restore = StoredRestore> {
  /** The newest first. */
  readonly restores: readonly Restore[];
  readonly unanswered: readonly { readonly database: string; readonly error: unknown }[];
}

/**
 * Looks in `thaw.restores` of the configured databases: it answers without Temporal, and after its retention.
 *
 * @param database only this one; null: all
 * @param env where passwords are looked for
 */
export async function findRecordedRestore(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
  database: string | null,
): Promise<RecordedRestores> {
  return askDatabases(config, env, database, async (client) => {
    const restore = await readRestore(client, restoreId);
    return restore === null ? [] : [restore];
  });
}

/** The latest restores of the configured databases, at most `limit` of each. */
export async function listRecordedRestores(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  database: string | null,
  limit: number,
): Promise<RecordedRestores> {
  const found = await askDatabases(config, env, database, (client) => listRestores(client, limit));
  const newestFirst = [...found.restores].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  return { ...found, restores: newestFirst };
}

type Client = Awaited<ReturnType<typeof connectDatabase>>;

/** Asks the configured databases for restores; `only` one of them, or null: all. */
export async function askDatabases<Restore>(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  only: string | null,
  question: (client: Client) => Promise<Restore[]>,
): Promise<RecordedRestores<Restore>> {
  const databases = config.databases.filter(({ name }) => only === null || name === only);
  const answers = await Promise.allSettled(databases.map((database) => askDatabase(database, env, question)));
  return {
    restores: answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])),
    unanswered: answers.flatMap((answer, place) =>
      answer.status === 'rejected'
        ? [{ database: databases[place]?.name ?? '', error: answer.reason as unknown }]
        : [],
    ),
  };
}

async function askDatabase<Restore>(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  question: (client: Client) => Promise<Restore[]>,
): Promise<Restore[]> {
  const client = await connectDatabase(database, env, { applicationName: 'thaw/status' });
  try {
    return await question(client);
  } finally {
    await client.end();
  }
}
