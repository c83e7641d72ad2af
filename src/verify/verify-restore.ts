import type pg from 'pg';
import { chosenTables } from '../config/chosen-tables.ts';
import { findDatabase } from '../config/database-config.ts';
import { rowRangeOf } from '../config/row-range.ts';
import type { TableConfig, ThawConfig } from '../config/thaw-config.ts';
import { defaultRestoreOptions, type TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { readSchemas } from '../postgres/archived-schemas.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { type RestoredTable, readRestoredTables } from '../postgres/restored-archives.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { emptyReport, type RestoreReport, type TableReport, verdictOf } from './table-report.ts';
import { verifyTable } from './verify-table.ts';

/** One verification of a restore. */
export interface RestoreVerification {
  readonly config: ThawConfig;
  /** Where passwords are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly store: ObjectStore;
  readonly restore: StoredRestore;
  /** Names of tables, as archived or as they are, with or without schema; null: all. */
  readonly tables: readonly string[] | null;
  readonly signal: AbortSignal;
  /** How much there is of the chosen tables, once it is known. */
  readonly onExtent: (archives: number, bytes: number) => void;
  readonly onArchives: (archives: number, bytes: number) => void;
}

/**
 * Compares the tables of a restore with the archives that it brought, one table after another.
 *
 * @throws ThawError `InputInvalid` for a table that the restore does not have; `ConfigInvalid` for another
 * store than the archives came from; errors of the moment. What is wrong with one table is in its report.
 */
export async function verifyRestore(job: RestoreVerification): Promise<RestoreReport> {
  const { request } = job.restore;
  const chosen = chosenTables(job.config, request, job.tables);
  const tables: TableReport[] = [];
  const restored = await withClient(job, (client) => readRestoredTables(client, request.restoreId));
  checkStore(job, restored);
  const found = await withClient(job, (client) => findTargets(client, chosen, restored, job.restore));
  const known = found.flatMap((each) => ('restored' in each ? [each.restored] : []));
  job.onExtent(sum(known, 'archives'), sum(known, 'bytes'));
  for (const each of found) {
    if ('restored' in each) tables.push(await withClient(job, (client) => verifyOne(client, each, job)));
    else tables.push(each);
  }
  const { restoreId, database } = request;
  return { restoreId, database, verdict: verdictOf(tables), tables };
}

interface FoundTarget {
  readonly table: TableRequest;
  readonly target: TargetTable;
  readonly restored: RestoredTable;
}

async function verifyOne(
  client: pg.Client,
  { table, target, restored }: FoundTarget,
  { config, restore, store, signal, onArchives }: RestoreVerification,
): Promise<TableReport> {
  const { restoreId, fingerprint, database } = restore.request;
  // One that an older release recorded may lack an option, which has its default then.
  const options = { ...defaultRestoreOptions, ...restore.request.options };
  const configured = configuredTable(config, database, table);
  const archived = configured?.timestampColumn ?? null;
  const timeColumn = archived === null ? null : (options.renamedColumns[archived] ?? archived);
  return verifyTable(
    client,
    {
      ...{ options, target, restored },
      schemas: await readSchemas(client, restoreId, restored.oid),
      range: rowRangeOf(config, { database, table }, options),
      scope: { restoreId, fingerprint, database, table },
      timeColumn: target.columns.some((column) => column.name === timeColumn && isTime(column))
        ? timeColumn
        : null,
    },
    { store, signal, onArchives },
  );
}

/** The targets with what the ledger says of them; where there is nothing to compare, why. */
async function findTargets(
  client: pg.Client,
  tables: readonly TableRequest[],
  restored: readonly RestoredTable[],
  restore: StoredRestore,
): Promise<(FoundTarget | TableReport)[]> {
  const found: (FoundTarget | TableReport)[] = [];
  for (const table of tables) {
    const name = `${table.intoSchema}.${table.intoTable}`;
    try {
      const target = await readTarget(client, table.intoSchema, table.intoTable);
      const ledger = restored.find(({ oid }) => oid === target.rootOid);
      if (ledger !== undefined) found.push({ table, target, restored: ledger });
      else found.push(nothingRestored(name, restore));
    } catch (error) {
      if (!(error instanceof ThawError) || error.retryable) throw error;
      const { code, message, hint } = error;
      found.push({ ...emptyReport, target: name, error: { code, message, hint } });
    }
  }
  return found;
}

function nothingRestored(name: string, { outcome }: StoredRestore): TableReport {
  const told = outcome?.tables.find(({ target }) => target === name)?.tally.archives.restored ?? 0;
  if (told === 0) {
    return { ...emptyReport, target: name, notices: ['This restore brought no archive into it.'] };
  }
  return {
    ...emptyReport,
    target: name,
    archives: { compared: 0, total: told },
    error: {
      code: 'TargetMissing',
      message: `${name}: the table that it restored into was dropped; this is another one of the same name.`,
      hint: 'Restore into it, and verify that restore.',
    },
  };
}

function configuredTable(
  config: ThawConfig,
  database: string,
  { table, schema }: TableRequest,
): TableConfig | undefined {
  return findDatabase(config, database).tables.find((each) => each.name === table && each.schema === schema);
}

/** Types whose values have a first and a last one that mean something. */
function isTime({ type }: TargetTable['columns'][number]): boolean {
  const names = ['timestamp', 'timestamptz', 'date', 'int2', 'int4', 'int8', 'numeric'];
  return type.kind === 'scalar' && names.includes(type.name);
}

/** @throws ThawError `ConfigInvalid` */
function checkStore({ store, restore }: RestoreVerification, restored: readonly RestoredTable[]): void {
  const other = restored.flatMap(({ stores }) => stores).find((name) => name !== store.name);
  if (other === undefined) return;
  throw new ThawError(
    'ConfigInvalid',
    `Restore ${restore.request.restoreId} brought archives from ${other}, and the configuration has ${store.name}.`,
    { object: other, hint: 'Give the configuration that the restore was asked for with.' },
  );
}

/** Does something with a connection of its own, which an interrupt closes. */
async function withClient<T>(
  { config, env, restore, signal }: RestoreVerification,
  action: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { database, restoreId } = restore.request;
  const options = { applicationName: `thaw/${restoreId}/verify`, signal };
  return withDatabase(findDatabase(config, database), env, options, action);
}

function sum(tables: readonly RestoredTable[], field: 'archives' | 'bytes'): number {
  return tables.reduce((total, table) => total + table[field], 0);
}
