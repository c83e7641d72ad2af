import type pg from 'pg';
import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import { advanceSequences } from '../../postgres/sequences.ts';
import type { StagedTable } from '../../postgres/snapshot-differences.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import { type MergeOptions, mergeTables } from './merge-tables.ts';

/** How tables are brought back. */
export interface RestoreTablesOptions extends MergeOptions {
  /** The transaction has begun, and has done nothing yet. */
  onBegun?(): Promise<void>;
  /** What is to be committed together with the rows. */
  alongside?(): Promise<void>;
}

/** What was done. */
export interface RestoredTables {
  /** In the order of the tables. */
  readonly tables: readonly SnapshotTableResult[];
  /** What could not be done beside the rows, for the user. */
  readonly notices: readonly string[];
}

/**
 * Brings staged rows into their tables in one transaction, all of them or none, and moves sequences behind it. Done
 * once more, it finds nothing to change.
 *
 * @param client in no transaction
 * @param tables parents of foreign keys first
 * @throws ThawError as `mergeTables` does
 */
export async function restoreTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  { onBegun, alongside, ...options }: RestoreTablesOptions = {},
): Promise<RestoredTables> {
  try {
    const merged = await inTransaction(client, async () => {
      await onBegun?.();
      const changes = await mergeTables(client, tables, options);
      await alongside?.();
      return changes;
    });
    const notices: string[] = [];
    for (const { target } of tables) notices.push(...(await advanceSequences(client, target)));
    return { tables: merged, notices };
  } catch (error) {
    throw databaseError(error, { object: 'the tables of the snapshot', stage: 'commit' });
  }
}
