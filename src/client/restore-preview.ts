import { tableFolders, tableOfKey } from '../archive/key.ts';
import { configuredTables, findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreOptions, RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { readTarget } from '../postgres/catalog.ts';
import { connectDatabase } from '../postgres/connect-database.ts';
import { findEarlier } from '../postgres/ledger.ts';
import { isSqlState, sqlState } from '../postgres/sqlstate.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { listTableArchives } from './archive-list.ts';
import { type MetadataTotals, readMetadataTotals } from './metadata-totals.ts';

/** What a restore would do to a table. */
export interface TablePreview {
  readonly table: TableRequest;
  /** What would be loaded, in archive order. */
  readonly archives: readonly ObjectInfo[];
  /** Archives that the ledger has as restored into the target before. */
  readonly earlier: number;
  /** Of the archives that would be loaded. */
  readonly totals: MetadataTotals;
}

/**
 * Tells what a restore would load, by the listing, the metadata of the archives and the ledger of the target. Changes
 * nothing, and does not read the archives themselves.
 *
 * @param env where passwords and access keys are looked for
 * @throws ThawError what listing the archives and looking at the targets raise
 */
export async function previewRestore(
  request: RestoreRequest,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
): Promise<TablePreview[]> {
  const database = findDatabase(config, request.database);
  const tables = request.tables ?? configuredTables(database);
  const store = openStore(config.store, env);
  try {
    const previews: TablePreview[] = [];
    for (const table of tables) previews.push(await previewTable(request, table, config, env, store));
    return previews;
  } finally {
    store.close();
  }
}

async function previewTable(
  { database, keys, options }: RestoreRequest,
  table: TableRequest,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  store: ObjectStore,
): Promise<TablePreview> {
  const { startDate, endDate } = options;
  const { prefix } = config.store;
  const own = keys?.filter((key) => tableOfKey(key, prefix)?.table === table.table) ?? null;
  const folders = tableFolders(prefix, database, table.table, table.schema);
  const listed = await listTableArchives(store, prefix, folders, {
    keys: own,
    startDate,
    endDate,
  });
  const earlier = await restoredEarlier(listed, table, options, store.name, database, config, env);
  const archives = options.ignoreWatermark ? listed : listed.filter(({ key }) => !earlier.has(key));
  const totals = await readMetadataTotals(
    store,
    archives.map(({ key }) => key),
  );
  return { table, archives, earlier: earlier.size, totals };
}

async function restoredEarlier(
  archives: readonly ObjectInfo[],
  { intoSchema, intoTable }: TableRequest,
  { createTable }: RestoreOptions,
  store: string,
  database: string,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
): Promise<ReadonlySet<string>> {
  const client = await connectDatabase(findDatabase(config, database), env, {
    applicationName: 'thaw/preview',
  });
  try {
    const { rootOid, hasUnique } = await readTarget(client, intoSchema, intoTable);
    const target = { oid: rootOid, epoch: 0, ordered: hasUnique };
    return await findEarlier(client, { restoreId: '', target, store }, archives);
  } catch (error) {
    // Thaw was never here.
    if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName)) return new Set();
    if (createTable && error instanceof ThawError && error.code === 'TargetMissing') return new Set();
    throw error;
  } finally {
    await client.end();
  }
}
