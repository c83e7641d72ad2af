import type pg from 'pg';
import { disconnect } from '../../postgres/connection.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { readStoredRows, type StoredSnapshot } from '../../postgres/stored-snapshot.ts';
import type { RowsSource, SourceTable } from './rows-source.ts';
import type { TablePiece } from './table-object.ts';

/**
 * The rows of a snapshot that is a row of `backup_pitr_snapshots`, each table on a connection of its own.
 *
 * @param tables those of `readStoredTables` that are wanted
 */
export function storedSource(
  connect: () => Promise<pg.Client>,
  snapshot: StoredSnapshot,
  tables: readonly SourceTable[],
): RowsSource {
  return {
    encoding: 'to_jsonb',
    tables,
    parts: tables.map(({ name: table }) => ({
      name: `snapshot ${snapshot.id}, table ${table}`,
      read: (signal) => readTable(connect, snapshot, table, signal),
    })),
  };
}

async function* readTable(
  connect: () => Promise<pg.Client>,
  snapshot: StoredSnapshot,
  table: string,
  signal: AbortSignal,
): AsyncGenerator<TablePiece> {
  const client = await connect();
  try {
    for await (const lines of readStoredRows(client, snapshot, table)) {
      signal.throwIfAborted();
      yield { table, lines: Buffer.from(`${lines.join('\n')}\n`) };
    }
  } catch (error) {
    throw databaseError(error, { object: `${snapshot.schema}.backup_pitr_snapshots ${snapshot.id}` });
  } finally {
    await disconnect(client);
  }
}
