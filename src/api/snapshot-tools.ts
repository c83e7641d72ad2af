import { findDatabase } from '../config/database-config.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import type { SnapshotTableName } from '../contract/snapshot.ts';
import type { SnapshotHistory } from '../contract/snapshot-history.ts';
import { type ListQuery, listPage, type Page } from '../control/list.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { historyTable } from '../postgres/snapshot-history.ts';
import { databaseError, isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { orderTables, type TableOrder } from '../snapshot/order/table-order.ts';
import { historyListing } from './snapshot-history-routes.ts';

/** What the API itself reads of the databases that snapshots are of; all of it ends with the signal. */
export interface SnapshotTools {
  /** Orders tables by their foreign keys. @throws ThawError `TargetMissing` for one that is gone */
  orderTables(
    database: string,
    tables: readonly SnapshotTableName[],
    signal: AbortSignal,
  ): Promise<TableOrder>;
}

type ListedHistory = SnapshotHistory & {
  readonly started_iso: string;
  readonly completed_iso: string | null;
};

function withTimes({ started_iso, completed_iso, ...history }: ListedHistory): SnapshotHistory {
  return { ...history, rollback_started_at: started_iso, rollback_completed_at: completed_iso };
}

/** Lists the restores of snapshots that a database keeps; none where Thaw never wrote into it. */
export async function listSnapshotHistory(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  query: ListQuery,
  tenant: string | null,
): Promise<Page<SnapshotHistory>> {
  return withDatabase(database, env, { applicationName: 'thaw-api/history' }, async (client) => {
    try {
      const listing = { ...historyListing, table: historyTable };
      const page = await listPage<ListedHistory>(client, listing, query, tenant);
      return { rows: page.rows.map(withTimes), more: page.more };
    } catch (error) {
      if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName))
        return { rows: [], more: false };
      throw databaseError(error, { object: 'thaw.snapshot_history' });
    }
  });
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
