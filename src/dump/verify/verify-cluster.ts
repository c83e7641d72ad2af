import type { DatabaseConfig } from '../../config/thaw-config.ts';
import { type DumpCheck, type DumpReport, maxTablesReported } from '../../contract/dump-activities.ts';
import { quoted } from '../format/table-name.ts';
import type { DumpedTable } from './compare-rows.ts';
import { type Verification, type Verified, verifyDatabase } from './verify.ts';

/** Rows of a table of a cluster. */
export interface ClusterTable extends DumpedTable {
  /** Null: not told. */
  readonly database?: string | null;
}

/**
 * Looks whether the databases of a cluster are what the dump of pg_dumpall says: each by the rows of its tables. The
 * user's own checks are asked in the database that was loaded first.
 *
 * @param first of that database; what it expects is not looked at
 * @param connection to another database of the server
 * @throws what {@link verifyDatabase} throws
 */
export async function verifyCluster(
  first: Verification,
  tables: readonly ClusterTable[],
  connection: (database: string) => DatabaseConfig,
): Promise<Verified> {
  const named = tables.flatMap(({ database }) => (database ? [database] : []));
  const databases = [...new Set([first.connection.name, ...named])];
  const found: { readonly database: string; readonly verified: Verified }[] = [];
  for (const database of databases) {
    const own = tables.filter((table) => table.database === database);
    const expected = { tables: own, toc: null, extensions: [] };
    const isFirst = database === first.connection.name;
    const other = { connection: connection(database), before: null, checks: [], checkUrls: [] };
    const verified = await verifyDatabase({ ...first, ...(isFirst ? {} : other), expected, appends: false });
    found.push({ database, verified });
  }
  return merged(found);
}

function merged(found: readonly { readonly database: string; readonly verified: Verified }[]): Verified {
  const reports = found.map(({ verified }) => verified.report);
  const all = found.flatMap(({ database, verified }) =>
    verified.tables.map((rows) => ({ ...rows, table: `${quoted(database)}.${rows.table}` })),
  );
  const isOff = (rows: (typeof all)[number]) => rows.dump !== null && rows.dump !== rows.after;
  const tables = [...all.filter(isOff), ...all.filter((rows) => !isOff(rows))];
  const checks = found.flatMap(({ database, verified }) =>
    verified.report.checks.map((check) => ({ ...check, name: `${database}: ${check.name}` })),
  );
  const [report] = reports;
  if (report === undefined) throw new TypeError('a cluster has a database');
  const sum = (count: 'bytes' | 'tables' | 'rows' | 'estimated') =>
    reports.reduce((total, { after }) => total + after[count], 0);
  const after = {
    ...report.after,
    ...{ bytes: sum('bytes'), tables: sum('tables'), rows: sum('rows'), estimated: sum('estimated') },
  };
  const isCompared = tables.some(({ dump, after: rows }) => dump !== null && rows !== null);
  return {
    report: {
      ...{ checks, after, before: null, tables: tables.slice(0, maxTablesReported) },
      outcome: outcomeOf(reports, checks, isCompared),
    },
    tables,
  };
}

/** A database of the cluster without any table is no reason for doubt. */
function outcomeOf(
  reports: readonly DumpReport[],
  checks: readonly DumpCheck[],
  isCompared: boolean,
): DumpReport['outcome'] {
  if (reports.some(({ outcome }) => outcome === 'failed')) return 'failed';
  const isUnknown = checks.some(({ name, outcome }) => name.endsWith(': rows') && outcome === 'skipped');
  return isCompared && !isUnknown ? 'verified' : 'inconclusive';
}
