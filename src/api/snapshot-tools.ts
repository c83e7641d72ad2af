import { findDatabase } from '../config/database-config.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import type { SnapshotTableName, TenantPart } from '../contract/snapshot.ts';
import type { SnapshotHistory } from '../contract/snapshot-history.ts';
import type { SnapshotPreview } from '../contract/snapshot-preview.ts';
import type { SnapshotValidation } from '../contract/snapshot-validation.ts';
import { type ListQuery, listPage, type Page } from '../control/list.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { historyTable, refuseTooMany } from '../postgres/snapshot-history.ts';
import { databaseError, isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { findStoredSnapshot } from '../postgres/stored-snapshot.ts';
import { isExact } from '../restore/schema-plan.ts';
import type { SnapshotPlace } from '../snapshot/container/stored-snapshots.ts';
import type { DiffOptions, PreviewOptions } from '../snapshot/merge/preview-tables.ts';
import { openSelection } from '../snapshot/merge/selection.ts';
import { orderTables, type TableOrder } from '../snapshot/order/table-order.ts';
import { diffSnapshot, previewSnapshot } from '../snapshot/preview/preview-snapshot.ts';
import { type ValidateJob, validateSnapshot } from '../snapshot/validate/validate-snapshot.ts';
import type { SnapshotChoice } from './snapshot-choices.ts';
import { historyListing } from './snapshot-history-routes.ts';

/** What the API itself reads of the databases that snapshots are of; all of it ends with the signal. */
export interface SnapshotTools {
  /** Orders tables by their foreign keys. @throws ThawError `TargetMissing` for one that is gone */
  orderTables(
    database: string,
    tables: readonly SnapshotTableName[],
    signal: AbortSignal,
  ): Promise<TableOrder>;
  /** Whose a row of `backup_pitr_snapshots` is; null where there is none. */
  tenantOfRow(database: string, id: string): Promise<string | null>;
  /** Tells what a restore would do. @param options with the key of marked differences, where they alone are taken */
  preview(
    choice: SnapshotChoice,
    options: Omit<PreviewOptions, 'chosen'> & { readonly selection?: string | null },
    signal: AbortSignal,
  ): Promise<SnapshotPreview>;
  /** Tells whether it can be restored. */
  validate(
    choice: SnapshotChoice,
    options: Pick<ValidateJob, 'again' | 'quick'>,
    signal: AbortSignal,
  ): Promise<SnapshotValidation>;
  /** Gives every difference. */
  diff(choice: SnapshotChoice, options: DiffOptions, signal: AbortSignal): Promise<void>;
}

/**
 * Refuses a restore before anything of it is written down, where its worker would refuse it.
 *
 * @param perHour null: any number
 * @throws ThawError `TooManyRestores`
 */
export async function admitSnapshot(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  perHour: number | null,
  runId: string,
  database: string,
  tenant: TenantPart | null,
): Promise<void> {
  if (perHour === null || tenant === null) return;
  await withDatabase(findDatabase(config, database), env, { applicationName: 'thaw-api' }, (client) =>
    refuseTooMany(client, runId, tenant, perHour),
  );
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
export function snapshotTools(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  place: SnapshotPlace,
): SnapshotTools {
  const jobOf = (choice: SnapshotChoice, signal: AbortSignal) => ({
    ...{ ...choice, env, place, signal, exact: isExact(choice) },
    database: findDatabase(config, choice.database),
  });
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
    tenantOfRow: (database, id) =>
      withDatabase(
        findDatabase(config, database),
        env,
        { applicationName: 'thaw-api' },
        async (client) => (await findStoredSnapshot(client, id))?.tenantId ?? null,
      ),
    preview: async (choice, { selection = null, ...options }, signal) => {
      const chosen = selection === null ? null : (await openSelection(place, selection, signal)).marked;
      return previewSnapshot(jobOf(choice, signal), { ...options, chosen });
    },
    validate: (choice, options, signal) => validateSnapshot({ ...jobOf(choice, signal), ...options }),
    diff: (choice, options, signal) => diffSnapshot(jobOf(choice, signal), options),
  };
}
