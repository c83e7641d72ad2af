import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { DatabaseConfig } from '../config/thaw-config.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import type { SnapshotPlace } from '../snapshot/container/stored-snapshots.ts';
import { settleSnapshotRestores } from '../snapshot/restore/settle-restores.ts';
import { standingIn } from '../snapshot/restore/workflow-standing.ts';

/**
 * What ends the restores of snapshots of a database whose workflows have ended without having done so.
 *
 * @param env where passwords are looked for
 */
export function settleSnapshots(
  env: NodeJS.ProcessEnv,
  place: SnapshotPlace,
  temporal: Client,
  logger: Logger,
): (database: DatabaseConfig) => Promise<void> {
  return async (database) => {
    const session = { applicationName: 'thaw-api/settle' };
    const told = await withDatabase(database, env, session, (client) =>
      settleSnapshotRestores(client, place, standingIn(temporal)),
    );
    for (const notice of told) logger.info({ database: database.name }, notice);
  };
}
