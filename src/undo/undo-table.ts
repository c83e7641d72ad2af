import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoneRows } from '../contract/undo-request.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { readReferences as readParents } from '../postgres/dangling-rows.ts';
import { quoteIdentifier } from '../postgres/identifier.ts';
import { imageColumns } from '../postgres/kept-images.ts';
import { holdForMerge } from '../postgres/merge-hold.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { inTransaction } from '../postgres/transaction.ts';
import {
  analyzeUndoRows,
  ChangedByTrigger,
  endUndo,
  markRefused,
  type Reference,
  readReferences,
  type Sweep,
  type UndonePage,
  type UndoPage,
  type UndoScope,
  type UndoTable,
  undoPage,
} from '../postgres/undo-rows.ts';

/** Rows that are undone by one transaction, where none is refused. */
const mostRows = 2_000;

/** A table to be undone. */
export interface TableUndo {
  readonly restoreId: string;
  /** As it is; its triggers fire unless it says otherwise. */
  readonly target: TargetTable;
  readonly kept: UndoTable;
  /** Which rows; of a table the added ones go before the others come back. @default both */
  readonly sweeps?: readonly Sweep[];
  /** Makes sure, in each transaction, that the table is held still. */
  readonly prove?: () => Promise<void>;
  readonly signal: AbortSignal;
  /** Called after each transaction, with the rows that it has undone. */
  readonly onProgress?: (rows: UndoneRows) => Promise<void>;
}

/**
 * Undoes what a restore did to a table, once through, by transactions of many rows each: what of it has
 * committed is not done again by another call.
 *
 * @param client in no transaction
 * @returns how many rows are as they were before the restore, that were not before the call
 * @throws ThawError `SchemaIncompatible` where the table has other columns than it had
 */
export async function undoTable(client: pg.Client, undo: TableUndo): Promise<number> {
  const { restoreId, target, sweeps = ['added', 'changed'] } = undo;
  const scope = await scopeOf(client, undo);
  await analyzeUndoRows(client);
  let undone = 0;
  for (const sweep of sweeps) undone += await sweepTable(client, undo, scope, sweep);
  await endUndo(client, restoreId, target.oid);
  return undone;
}

/**
 * Reads what has to be known of a table whose rows are undone.
 *
 * @throws ThawError `SchemaIncompatible` where the table has other columns than it had
 */
export async function scopeOf(
  client: pg.Client,
  { restoreId, target, kept }: Pick<TableUndo, 'restoreId' | 'target' | 'kept'>,
): Promise<UndoScope> {
  checkColumns(target, kept);
  const references: readonly Reference[] = await readReferences(client, target.oid);
  const parents = await readParents(client, target.oid);
  return { restoreId, target, key: kept.key, references, parents };
}

async function sweepTable(
  client: pg.Client,
  { target, signal, prove = nothing, onProgress = nothing }: TableUndo,
  scope: UndoScope,
  sweep: Sweep,
): Promise<number> {
  let [undone, limit] = [0, mostRows];
  for (let after: readonly string[] | null = null; ; ) {
    signal.throwIfAborted();
    const page: UndoPage = { sweep, after, limit };
    try {
      const done: UndonePage = await inTransaction(client, async () => {
        await prove();
        const release = await holdForMerge(client, target);
        const result = await undoPage(client, scope, page);
        await release();
        return result;
      });
      if (done.last === null) break;
      undone += sumOf(done.undone);
      after = done.last;
      limit = Math.min(limit * 2, mostRows);
      await onProgress(done.undone);
    } catch (raw) {
      const why = refusalOf(raw, `${target.schema}.${target.table}`);
      // Which of them is refused is found by fewer at a time.
      if (limit > 1) limit = Math.max(1, Math.floor(limit / 8));
      else after = await markRefused(client, scope, page, why);
    }
  }
  return undone;
}

async function nothing(): Promise<void> {}

function sumOf({ deleted, broughtBack, gone }: UndoneRows): number {
  return deleted + broughtBack + gone;
}

/** Why PostgreSQL refuses rows. @throws what is not about rows */
export function refusalOf(raw: unknown, object: string): string {
  if (raw instanceof ChangedByTrigger) return 'a trigger changes it';
  const error = databaseError(raw, { object });
  if (error.code !== 'RowRejected' && error.code !== 'ConflictFound') throw error;
  return error.sqlstate === undefined ? error.code : `SQLSTATE ${error.sqlstate}`;
}

function checkColumns(target: TargetTable, { columns }: UndoTable): void {
  const now = imageColumns(target).map(({ name, typeName }) => `${quoteIdentifier(name)} ${typeName}`);
  if (now.length === columns.length && now.every((column, place) => column === columns[place])) return;
  const object = `${target.schema}.${target.table}`;
  const [other] = [
    ...now.filter((one) => !columns.includes(one)),
    ...columns.filter((one) => !now.includes(one)),
  ];
  throw new ThawError(
    'SchemaIncompatible',
    `${object}: its columns are not those that it was restored with${other === undefined ? '' : `, such as ${other}`}.`,
    { object, hint: 'Alter it to what it was, then undo the restore.' },
  );
}
