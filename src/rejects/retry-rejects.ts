import { chosenTables } from '../config/chosen-tables.ts';
import { findDatabase } from '../config/database-config.ts';
import { rowRangeOf } from '../config/row-range.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { TableError } from '../contract/outcome.ts';
import {
  defaultRestoreOptions,
  type RestoreOptions,
  type TableRequest,
} from '../contract/restore-request.ts';
import { askedTarget } from '../postgres/asked-target.ts';
import { readTarget } from '../postgres/catalog.ts';
import { connectDatabase, withDatabase } from '../postgres/connect-database.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type RetriedRows, retryTable } from './table-retry.ts';

/** One retry of the rows that a restore left out. */
export interface RejectsRetry {
  readonly config: ThawConfig;
  /** Where passwords are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly store: ObjectStore;
  readonly restore: StoredRestore;
  /** Names of tables, as archived or as they are, with or without schema; null: all. */
  readonly tables: readonly string[] | null;
  /** What is done otherwise than in the restore. */
  readonly changes: Partial<RestoreOptions>;
  readonly signal: AbortSignal;
}

/** What came of a table of the restore. */
export interface RetriedTableReport extends RetriedRows {
  /** `schema.table` */
  readonly target: string;
  /** Why its rows could not be retried at all; null otherwise. */
  readonly error: TableError | null;
}

const nothing: RetriedRows = {
  ...{ rows: 0, inserted: 0, updated: 0, skipped: 0, remaining: 0 },
  ...{ failures: [], notices: [] },
};

/**
 * Loads the rows that a restore left out once more, one table after another.
 *
 * @throws ThawError `InputInvalid` for a table that the restore does not have. What is wrong with one table is
 * in its report, but for an interrupt.
 */
export async function retryRejects(job: RejectsRetry): Promise<RetriedTableReport[]> {
  const reports: RetriedTableReport[] = [];
  for (const table of chosenTables(job.config, job.restore.request, job.tables)) {
    const target = `${table.intoSchema}.${table.intoTable}`;
    try {
      reports.push({ target, error: null, ...(await retryOne(job, table)) });
    } catch (raw) {
      job.signal.throwIfAborted();
      const { code, message, hint } = databaseError(raw, { object: target });
      reports.push({ target, ...nothing, error: { code, message, hint } });
    }
  }
  return reports;
}

async function retryOne(job: RejectsRetry, table: TableRequest): Promise<RetriedRows> {
  const { config, restore, store, changes, signal } = job;
  const { restoreId, database, fingerprint } = restore.request;
  const scope = { restoreId, fingerprint, database, table };
  const configured = findDatabase(config, database);
  // One that an older release recorded may lack an option, which has its default then.
  const options = { ...defaultRestoreOptions, ...restore.request.options, ...changes };
  const connect = (applicationName: string) =>
    connectDatabase(configured, job.env, { applicationName, signal });
  const session = { applicationName: `thaw/retry-${restoreId}`, signal };
  return withDatabase(configured, job.env, session, async (client) => {
    const target = askedTarget(await readTarget(client, table.intoSchema, table.intoTable), options);
    const range = rowRangeOf(config, scope, options);
    return retryTable(client, { scope, options, target, range }, { store, signal, connect });
  });
}
