import type { DatabaseConfig } from '../../config/thaw-config.ts';
import {
  type DumpCheck,
  type DumpReport,
  maxTablesReported,
  type TableRows,
} from '../../contract/dump-activities.ts';
import { type Analyzed, analyzeDatabase } from '../../postgres/analyze-database.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { type DatabaseObject, listObjects } from '../../postgres/dump-objects.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import { formatCounted } from '../../restore/format.ts';
import { tableName } from '../format/table-name.ts';
import { checkUrl } from './check-url.ts';
import { runChecks } from './checks.ts';
import {
  type Catalogs,
  checkConstraints,
  checkExtensions,
  checkIndexes,
  checkSequences,
  checkViews,
} from './compare-catalogs.ts';
import { compareObjects } from './compare-objects.ts';
import { compareRows, type DumpedTable } from './compare-rows.ts';
import { isWhole, type RestoredPart, restoredEntries, restoredTables } from './restored-part.ts';
import { someNames } from './some-names.ts';
import { type DatabaseSurvey, surveyDatabase } from './survey.ts';

/** What a dump says of the database that it makes. */
export interface ExpectedDatabase {
  /** Tables whose rows it holds, with their counts where the format allows to count. */
  readonly tables: readonly DumpedTable[];
  /** Its list of contents; null: a plain dump has none. */
  readonly toc: readonly DatabaseObject[] | null;
  readonly extensions: readonly string[];
}

/** One verification of a database into which a dump was loaded. */
export interface Verification {
  /** The database that was loaded, under the name that it has now. */
  readonly connection: DatabaseConfig;
  /** Where its password is looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly expected: ExpectedDatabase;
  /** What of the dump was restored. */
  readonly restored: RestoredPart;
  /** The live database before anything was touched; null where there was none. */
  readonly before: DatabaseSurvey | null;
  /** Whether rows were added to those that the live database had: into an existing one, without `clean`. */
  readonly appends: boolean;
  /** Statements that must give true. */
  readonly checks: readonly string[];
  /** URLs that must answer with success. */
  readonly checkUrls: readonly string[];
  readonly signal: AbortSignal;
  /** Called with each check as it is done, and with each table that was counted. */
  readonly onProgress?: (what: string) => void;
}

/** What a verification found. */
export interface Verified {
  readonly report: DumpReport;
  /** All tables, those that differ first; `report` has the first of them. */
  readonly tables: readonly TableRows[];
}

/**
 * Looks whether a database is what its dump says: its objects, the rows of each table, indexes, constraints,
 * sequences, materialized views, extensions; gathers its statistics; then asks the user's own checks. Nothing is
 * changed but the statistics.
 *
 * What is off is in the report. It is `inconclusive` where nothing failed, but rows of the dump could not be
 * compared, or neither rows nor objects. A dump without a list of its objects is no reason: it is plain, and psql
 * ends at the first that it cannot make.
 *
 * @throws ThawError where the database cannot be asked; the signal's reason
 */
export async function verifyDatabase(verification: Verification): Promise<Verified> {
  const { connection, env, before, checks, checkUrls, signal, onProgress = () => {} } = verification;
  const done: DumpCheck[] = [];
  const add = (...more: readonly DumpCheck[]) => {
    done.push(...more);
    for (const { name } of more) onProgress(name);
  };
  const database = { applicationName: 'thaw/verify', signal };
  const after = await surveyDatabase({
    connection,
    env,
    seconds: null,
    signal,
    onTable: () => onProgress('rows'),
  });
  add({
    name: 'connectivity',
    outcome: 'passed',
    detail: `${connection.name} answers, PostgreSQL ${after.facts.serverVersion}.`,
  });
  const tables = await withDatabase(connection, env, database, async (client) => {
    try {
      const objects = await inTransaction(client, () => listObjects(client));
      const compared = compareDatabase(verification, after, objects);
      add(...compared.checks);
      const analyzed = await analyzeDatabase(client);
      add(statistics(analyzed));
      add(...(await runChecks(client, checks)));
      return compared.tables;
    } catch (error) {
      signal.throwIfAborted();
      throw databaseError(error, { object: connection.name });
    }
  });
  for (const [place, url] of checkUrls.entries()) add(await checkUrl({ url, number: place + 1, signal }));
  return {
    report: {
      outcome: outcomeOf(done, tables),
      checks: done,
      tables: tables.slice(0, maxTablesReported),
      before: before?.facts ?? null,
      after: after.facts,
    },
    tables,
  };
}

/** What is known without asking the database any more. */
function compareDatabase(
  { expected, restored, before, appends }: Verification,
  after: DatabaseSurvey,
  objects: readonly DatabaseObject[],
): { readonly checks: readonly DumpCheck[]; readonly tables: readonly TableRows[] } {
  const toc = expected.toc === null ? null : restoredEntries(expected.toc, restored);
  const catalogs: Catalogs = { toc, before, after };
  const foreign = objects.flatMap(({ kind, schema, name }) =>
    kind === 'FOREIGN TABLE' && schema !== null ? [tableName(schema, name)] : [],
  );
  const rows = compareRows({
    dump: restoredTables(expected.tables, restored),
    before: before?.tables ?? null,
    after: after.tables,
    appends,
    foreign: new Set(foreign),
  });
  const checks = [
    compareObjects(toc, objects),
    rows.check,
    checkIndexes(catalogs),
    checkConstraints(catalogs),
    checkSequences(catalogs),
    checkViews(catalogs),
    checkExtensions(isWhole(restored) ? expected.extensions : [], catalogs),
  ];
  return { checks, tables: rows.tables };
}

function statistics({ tables, left }: Analyzed): DumpCheck {
  const name = 'statistics';
  const gathered = `ANALYZE has gathered them for ${formatCounted(tables, 'table')}`;
  if (left.length === 0) return { name, outcome: 'passed', detail: `${gathered}.` };
  return {
    name,
    outcome: 'warning',
    detail: `${gathered}, and not for ${someNames(left)}: the user does not own all.`,
  };
}

function outcomeOf(checks: readonly DumpCheck[], tables: readonly TableRows[]): DumpReport['outcome'] {
  if (checks.some(({ outcome }) => outcome === 'failed')) return 'failed';
  const isSkipped = (check: string) =>
    checks.some(({ name, outcome }) => name === check && outcome === 'skipped');
  const noEvidence = isSkipped('objects') && tables.every(({ dump }) => dump === null);
  return isSkipped('rows') || noEvidence ? 'inconclusive' : 'verified';
}
