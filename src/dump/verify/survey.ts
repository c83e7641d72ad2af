import type pg from 'pg';
import type { DatabaseConfig } from '../../config/thaw-config.ts';
import type { DatabaseFacts } from '../../contract/dump-activities.ts';
import { connectDatabase } from '../../postgres/connect-database.ts';
import { disconnect } from '../../postgres/connection.ts';
import {
  askWithin,
  beginSnapshot,
  type CatalogFlaw,
  countRows,
  exportSnapshot,
  listExtensions,
  listNumberedColumns,
  listStoredTables,
  readFlaws,
  readIdentity,
  readPosition,
  type StoredTable,
} from '../../postgres/database-survey.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { tableName } from '../format/table-name.ts';
import { type SequenceState, sequenceState } from './sequence-state.ts';

/** How many rows a table had. */
export interface SurveyedTable {
  /** `schema.table`, as `tableName` writes it. */
  readonly table: string;
  /** Null where they were not to be had: no right to read them all, or neither time nor estimate. */
  readonly rows: number | null;
  /** False: as PostgreSQL estimates. */
  readonly exact: boolean;
  /** Tables that it is a partition of. */
  readonly roots: readonly string[];
}

/** A database at one moment. Grows with its tables: it is kept in the database, and never goes through Temporal. */
export interface DatabaseSurvey {
  readonly facts: DatabaseFacts;
  readonly tables: readonly SurveyedTable[];
  readonly sequences: readonly SequenceState[];
  readonly extensions: readonly { readonly name: string; readonly version: string }[];
  readonly flaws: readonly CatalogFlaw[];
}

/** How a database is surveyed. */
export interface SurveyOptions {
  /** The database itself, under the name that it has now. */
  readonly connection: DatabaseConfig;
  /** Where its password is looked for. */
  readonly env: NodeJS.ProcessEnv;
  /** Seconds after which what is not counted yet is estimated; null: everything is counted. */
  readonly seconds: number | null;
  readonly signal: AbortSignal;
  /** Called for each table that was counted. */
  readonly onTable?: (() => void) | undefined;
}

/** Connections that count, where there is that much to read. */
const lanes = 4;
const bytesWorthLanes = 16 * 2 ** 20;

/**
 * Reads what a database is: version, size, rows of each table, positions of sequences, extensions, and what of its
 * catalog is not as it should be. All of it of one moment, in read-only transactions; large ones are counted by
 * several connections that share it.
 *
 * @throws ThawError as PostgreSQL answers; the signal's reason
 */
export async function surveyDatabase(options: SurveyOptions): Promise<DatabaseSurvey> {
  const { connection, signal } = options;
  const clients: pg.Client[] = [];
  const abandon = () => void Promise.all(clients.map(disconnect));
  signal.addEventListener('abort', abandon, { once: true });
  const open = async (snapshot: string | null) => {
    const client = await connectDatabase(connection, options.env, {
      applicationName: 'thaw/survey',
      signal,
    });
    clients.push(client);
    await beginSnapshot(client, snapshot);
    return client;
  };
  try {
    return await readSurvey(open, options);
  } catch (error) {
    signal.throwIfAborted();
    throw databaseError(error, { object: connection.name });
  } finally {
    signal.removeEventListener('abort', abandon);
    await Promise.all(clients.map(disconnect));
  }
}

async function readSurvey(
  open: (snapshot: string | null) => Promise<pg.Client>,
  { seconds, onTable }: SurveyOptions,
): Promise<DatabaseSurvey> {
  const end = seconds === null ? null : performance.now() + seconds * 1000;
  const left = () => (end === null ? null : (end - performance.now()) / 1000);
  const client = await open(null);
  const { name, oid, serverVersion, bytes } = await readIdentity(client);
  const stored = await listStoredTables(client);
  const clients = [client];
  if (stored.reduce((sum, table) => sum + table.bytes, 0) > bytesWorthLanes) {
    const snapshot = await exportSnapshot(client);
    while (clients.length < Math.min(lanes, stored.length)) clients.push(await open(snapshot));
  }
  const tables = await countAll(clients, stored, left, onTable);
  const sequences: SequenceState[] = [];
  for (const numbered of await listNumberedColumns(client)) {
    const position = await askWithin(client, left(), () => readPosition(client, numbered));
    sequences.push(sequenceState(numbered, typeof position === 'string' ? null : position));
  }
  const rows = tables.reduce((sum, table) => sum + (table.rows ?? 0), 0);
  const estimated = tables.filter(({ exact }) => !exact).length;
  return {
    facts: { database: name, oid, serverVersion, bytes, tables: tables.length, rows, estimated },
    tables,
    sequences,
    extensions: await listExtensions(client),
    flaws: await readFlaws(client),
  };
}

/** Each connection takes the largest table that is left. */
async function countAll(
  clients: readonly pg.Client[],
  stored: readonly StoredTable[],
  left: () => number | null,
  onTable: (() => void) | undefined,
): Promise<SurveyedTable[]> {
  const queue = stored.entries();
  const counted: SurveyedTable[] = [];
  await Promise.all(
    clients.map(async (client) => {
      for (const [place, table] of queue) {
        const rows = await askWithin(client, left(), async () => ({ count: await countRows(client, table) }));
        counted[place] = {
          table: tableName(table.schema, table.table),
          rows: typeof rows === 'object' ? rows.count : rows === 'time' ? table.estimate : null,
          exact: typeof rows === 'object',
          roots: table.roots.map((root) => tableName(root.schema, root.table)),
        };
        onTable?.();
      }
    }),
  );
  return counted;
}
