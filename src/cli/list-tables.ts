import { tablePrefix } from '../archive/key.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { columns } from '../restore/columns.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import { openStore } from '../store/open-store.ts';
import { anyTime } from '../validate/period.ts';
import { summarizeStore, type TableSummary } from '../validate/store-summary.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';

/** What is asked of the store. */
export interface TablesJob {
  readonly config: ThawConfig;
  /** Null: all that have archives. */
  readonly database: string | null;
  /** Reads the metadata of every archive. */
  readonly withRows: boolean;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/**
 * Prints which databases and tables have archives, configured or not.
 *
 * @throws ThawError `InputInvalid` for a database that has none and is not configured either
 */
export async function printTables({
  config,
  database,
  withRows,
  json,
  env,
  printer,
}: TablesJob): Promise<ExitCode> {
  const { prefix } = config.store;
  const top = prefix === '' ? '' : `${prefix}/`;
  const folder = database === null ? top : tablePrefix(prefix, database, '').replace(/\/\/$/, '/');
  const store = openStore(config.store, env);
  try {
    const tables = await summarizeStore(store, { folder, period: anyTime }, prefix, withRows);
    if (database !== null && tables.length === 0) findDatabase(config, database);
    if (json) printer.line(JSON.stringify(tablesJson(tables)));
    else for (const line of tableLines(tables, `${store.name}/${folder}`)) printer.line(line);
    return exitCodes.done;
  } finally {
    store.close();
  }
}

/** Tables for people: columns under a heading, and the sum. */
export function tableLines(tables: readonly TableSummary[], place: string): string[] {
  if (tables.length === 0) return [`No archives below ${place}`];
  const withRows = tables.some(({ rows }) => rows !== null);
  // Where all are of the usual one, it tells nothing.
  const withSchema = tables.some(({ schema }) => schema !== null && schema !== 'public');
  const names = ['DATABASE', ...(withSchema ? ['SCHEMA'] : []), 'TABLE'];
  const cells = [
    [...names, 'ARCHIVES', ...(withRows ? ['ROWS'] : []), 'BYTES', 'FIRST DAY', 'LAST DAY'],
    ...tables.map((table) => [
      table.database,
      ...(withSchema ? [table.schema ?? '?'] : []),
      table.table,
      formatCount(table.archives),
      ...(withRows ? [rowsText(table)] : []),
      formatBytes(table.bytes),
      table.firstDay ?? '-',
      table.lastDay ?? '-',
    ]),
  ];
  const numeric = new Set(Array.from({ length: withRows ? 3 : 2 }, (_, place) => names.length + place));
  const archives = tables.reduce((sum, table) => sum + table.archives, 0);
  const frozen = tables.reduce((sum, table) => sum + table.frozen, 0);
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  return [
    ...columns(cells, numeric),
    `${formatCount(tables.length)} tables, ${formatCount(archives)} archives, ${formatBytes(bytes)} below ${place}`,
    ...(frozen === 0
      ? []
      : [`Note: ${formatCount(frozen)} of them are in an archive storage class and must be thawed first`]),
  ];
}

/** A plus where some archives do not tell. */
function rowsText({ rows, uncounted }: TableSummary): string {
  return rows === null ? '-' : `${formatCount(rows)}${uncounted > 0 ? '+' : ''}`;
}

function tablesJson(tables: readonly TableSummary[]) {
  const names = [...new Set(tables.map(({ database }) => database))];
  return {
    databases: names.map((name) => ({
      database: name,
      tables: tables.filter(({ database }) => database === name).map(tableJson),
    })),
  };
}

/** Without rows and schema where they were not asked for. */
function tableJson(summary: TableSummary) {
  const { table, schema, archives, bytes, firstDay, lastDay, rows, uncounted, frozen } = summary;
  const counts = rows === null ? {} : { rows, archivesWithoutCount: uncounted };
  return {
    table,
    ...(rows === null ? {} : { schema }),
    archives,
    bytes,
    ...counts,
    firstDay,
    lastDay,
    ...(frozen === 0 ? {} : { frozen }),
  };
}
