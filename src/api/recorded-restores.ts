import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { connectDatabase } from '../postgres/connect-database.ts';
import { readRestore } from '../postgres/restores.ts';
import { ApiError } from './api-error.ts';
import type { RecordedRestore } from './runs.ts';

/**
 * Looks for a restore in every configured database, for which Temporal is not needed; null when none has it.
 *
 * @throws ApiError `SERVICE_UNAVAILABLE` when it was not found and a database could not be asked
 */
export async function findRecorded(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
): Promise<RecordedRestore | null> {
  const answers = await Promise.allSettled(
    config.databases.map((database) => readFrom(database, env, restoreId)),
  );
  for (const answer of answers) {
    if (answer.status === 'fulfilled' && answer.value !== null) return answer.value;
  }
  const place = answers.findIndex((answer) => answer.status === 'rejected');
  const failed = answers[place];
  // It may be in the very database that could not be asked.
  if (failed?.status === 'rejected') throw notAsked(config.databases[place]?.name ?? '', failed.reason);
  return null;
}

/** Whatever the reason (not there, no password, no right): the one who asks can do nothing about it. */
function notAsked(database: string, cause: unknown): ApiError {
  return new ApiError(
    'SERVICE_UNAVAILABLE',
    `Temporal does not know the run (any more), and the database ${database} could not be asked.`,
    {
      hint: cause instanceof ThawError ? cause.hint : 'The log of the API tells why.',
      data: cause instanceof ThawError ? { code: cause.code } : {},
      cause,
    },
  );
}

async function readFrom(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
): Promise<RecordedRestore | null> {
  const client = await connectDatabase(database, env, { applicationName: 'thaw/api' });
  try {
    const stored = await readRestore(client, restoreId);
    if (stored === null) return null;
    return {
      database: stored.request.database,
      state: stored.state,
      outcome: stored.outcome,
      createdAt: new Date(stored.createdAt),
      endedAt: stored.finishedAt === null ? null : new Date(stored.finishedAt),
    };
  } finally {
    await client.end();
  }
}
