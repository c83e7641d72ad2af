import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { SnapshotTableName } from '../contract/snapshot.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { orderTables, type TableOrder } from '../snapshot/order/table-order.ts';

/** What the API itself reads of the databases that snapshots are of; all of it ends with the signal. */
export interface SnapshotTools {
  /** Orders tables by their foreign keys. @throws ThawError `TargetMissing` for one that is gone */
  orderTables(
    database: string,
    tables: readonly SnapshotTableName[],
    signal: AbortSignal,
  ): Promise<TableOrder>;
}

/** @param env where passwords are looked for */
export function snapshotTools(config: ThawConfig, env: NodeJS.ProcessEnv): SnapshotTools {
  return {
    orderTables: (database, tables, signal) => {
      const options = { applicationName: 'thaw-api/order', signal };
      return withDatabase(findDatabase(config, database), env, options, async (client) => {
        try {
          return await orderTables(client, tables);
        } catch (error) {
          throw databaseError(error, { object: 'foreign keys' });
        }
      });
    },
  };
}
