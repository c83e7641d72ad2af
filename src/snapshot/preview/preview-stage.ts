import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { DatabaseConfig } from '../../config/thaw-config.ts';
import { connectDatabase, withDatabase } from '../../postgres/connect-database.ts';
import { dropDeadPreviewStages, holdPreviewStage, previewSchema } from '../../postgres/preview-stage.ts';
import { dropSnapshotStage } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { endSessions } from '../../postgres/targets.ts';

/** Where a preview stages. */
export interface StageSite {
  readonly database: DatabaseConfig;
  /** Where its password is looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** The stage of one preview. */
export interface PreviewStage {
  readonly schema: string;
  /** The session whose end tells that the stage is nobody's any more. */
  readonly client: pg.Client;
  /** A further session, which the caller ends. */
  connect(): Promise<pg.Client>;
}

/**
 * Does something that needs a stage, of which nothing is left behind it, whether it succeeds, fails or is
 * interrupted. What a killed process has left is dropped by the next one.
 *
 * @throws what `work` and connecting throw; the signal's reason
 */
export async function withPreviewStage<Result>(
  { database, env, signal }: StageSite,
  work: (stage: PreviewStage) => Promise<Result>,
): Promise<Result> {
  const id = randomBytes(8).toString('hex');
  const schema = previewSchema(id);
  const applicationName = `thaw/preview/${id}`;
  const connect = () => connectDatabase(database, env, { applicationName, signal });
  try {
    return await withDatabase(database, env, { applicationName, signal }, async (client) => {
      await dropDeadPreviewStages(client);
      await holdPreviewStage(client, schema);
      const result = await work({ schema, client, connect });
      await dropSnapshotStage(client, schema);
      return result;
    });
  } catch (error) {
    await removeStage(database, env, schema, applicationName);
    signal.throwIfAborted();
    throw databaseError(error, { object: database.name });
  }
}

async function removeStage(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  schema: string,
  sessions: string,
): Promise<void> {
  try {
    await withDatabase(database, env, { applicationName: 'thaw/preview' }, async (client) => {
      // A query of theirs that is still under way would keep the stage for as long.
      await endSessions(client, sessions);
      await dropSnapshotStage(client, schema);
    });
  } catch {
    // What has failed is told, and the next preview drops what is left.
  }
}
