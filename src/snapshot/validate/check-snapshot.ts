import type pg from 'pg';
import type { SchemaStrategy } from '../../contract/restore-request.ts';
import type { SnapshotColumn } from '../../contract/snapshot.ts';
import type { SnapshotIssue, ValidatedSnapshot } from '../../contract/snapshot-validation.ts';
import { beginReading } from '../../postgres/snapshot-read.ts';
import { findTables, readTableFacts } from '../../postgres/snapshot-tables.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { nameOf } from '../order/table-order.ts';
import type { OpenedSnapshot, OpenedTable } from '../restore/open-snapshot.ts';
import { compareColumns } from './column-changes.ts';

/** What was found without reading rows. */
export interface Findings {
  readonly issues: readonly SnapshotIssue[];
  /** What a restore does that one should know of. */
  readonly notices: readonly string[];
}

/** What is looked at. */
export interface SnapshotCheck {
  readonly tables: readonly OpenedTable[];
  readonly schemaStrategy: SchemaStrategy;
  /** It may have been restored before. */
  readonly again: boolean;
}

/**
 * Looks for what keeps a snapshot from being restored, without reading its rows: whether it is still to be used, and
 * whether its tables and columns are those of the database. Of sources that do not tell their columns only rows do.
 *
 * @param client in no transaction
 * @throws ThawError what the database refuses
 */
export async function checkSnapshot(
  client: pg.Client,
  snapshot: Pick<OpenedSnapshot, 'expiresAt' | 'rolledBack' | 'tables'>,
  { tables, schemaStrategy, again }: SnapshotCheck,
): Promise<Findings> {
  const issues: SnapshotIssue[] = [];
  const notices: string[] = [];
  const add = (issue: string, code: SnapshotIssue['code'], object: string | null = null) =>
    issues.push({ issue, code, object });
  if (snapshot.tables.length === 0) add('no affected_tables', 'ArchiveCorrupt');
  if (isExpired(snapshot)) add('snapshot expired', 'InputInvalid');
  if (snapshot.rolledBack && again) notices.push('already rolled back: it is restored once more');
  else if (snapshot.rolledBack) add('already rolled back', 'InputInvalid');
  const live = await liveColumns(client, tables);
  for (const table of tables) {
    const object = nameOf(table);
    const now = live.get(object);
    if (now === undefined) add(`${object}: there is no such table`, 'TargetMissing', object);
    else if (table.columns !== null) {
      for (const { column, detail, refused } of compareColumns(table.columns, now, schemaStrategy)) {
        const text = `${object}, column ${column}: ${detail}`;
        if (refused) add(text, 'SchemaIncompatible', object);
        else notices.push(text);
      }
    }
  }
  return { issues, notices };
}

/** Its status as the source system has it. */
export function statusOf(
  snapshot: Pick<OpenedSnapshot, 'expiresAt' | 'rolledBack'>,
): ValidatedSnapshot['status'] {
  if (snapshot.rolledBack) return 'rolled_back';
  return isExpired(snapshot) ? 'expired' : 'active';
}

function isExpired({ expiresAt }: Pick<OpenedSnapshot, 'expiresAt'>): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now();
}

/** By `schema.table`, with types spelled as those of a snapshot are. */
async function liveColumns(
  client: pg.Client,
  tables: readonly OpenedTable[],
): Promise<Map<string, readonly SnapshotColumn[]>> {
  try {
    await beginReading(client);
    const facts = await readTableFacts(client, await findTables(client, tables, []));
    return new Map(facts.map((table) => [nameOf(table), table.columns]));
  } catch (error) {
    throw databaseError(error, { object: 'the tables of the snapshot' });
  } finally {
    await client.query('rollback').catch(() => {});
  }
}
