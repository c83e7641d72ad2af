import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoExtent, UndoFailure, UndoneTable } from '../contract/undo-request.ts';
import { ensureSchema } from '../postgres/schema.ts';
import { readTakenObjects } from '../postgres/taken-objects.ts';
import {
  countUndoRows,
  type LeftRows,
  readLeftRows,
  readUndoTables,
  type UndoTable,
} from '../postgres/undo-rows.ts';
import type { UndoneRestore } from './undone-restore.ts';

/** The tables of which a restore has kept changes. @throws ThawError `InputInvalid` where it was not to keep any */
export async function keptTables(
  client: pg.Client,
  { restoreId, undoable }: UndoneRestore,
): Promise<UndoTable[]> {
  await ensureSchema(client);
  const tables = await readUndoTables(client, restoreId);
  if (tables.length > 0 || undoable) return tables;
  throw new ThawError('InputInvalid', `restore ${restoreId} has kept nothing that it could be undone by.`, {
    object: restoreId,
    hint: 'Only a restore with --undoable (over the API "undoable": true) can be undone.',
  });
}

/** Tells what there is to be undone. @throws ThawError like {@link keptTables} */
export async function extentOf(client: pg.Client, restore: UndoneRestore): Promise<UndoExtent[]> {
  const extents: UndoExtent[] = [];
  for (const { oid, schema, table, deleted, broughtBack, gone } of await keptTables(client, restore)) {
    const counts = await countUndoRows(client, restore.restoreId, oid);
    extents.push({ target: `${schema}.${table}`, ...counts, undone: deleted + broughtBack + gone });
  }
  return extents;
}

/** How an import stands that can be undone. */
export type UndoStanding = 'nothing changed' | 'undone' | 'to be undone';

/** Tells whether there is anything to undo of an import, rows or what it has made. @throws ThawError like {@link keptTables} */
export async function standingOf(client: pg.Client, restore: UndoneRestore): Promise<UndoStanding> {
  const extents = await extentOf(client, restore);
  const made = await readTakenObjects(client, restore.restoreId, 0);
  const rows = extents.reduce((sum, { inserted, overwritten }) => sum + inserted + overwritten, 0);
  if (rows > 0 || (made?.left ?? 0) > 0) return 'to be undone';
  return made === null && extents.every(({ undone }) => undone === 0) ? 'nothing changed' : 'undone';
}

/** Whether nothing is left to undo of a restore that did change something. */
export function isUndone(extents: readonly UndoExtent[]): boolean {
  return extents.length > 0 && extents.every(({ inserted, overwritten }) => inserted + overwritten === 0);
}

/**
 * Tells what came of a restore's tables, by all of its undos.
 *
 * @param failures of the last undo
 * @param shownKeys of rows that are left, at most, for each table and reason
 */
export async function reportUndo(
  client: pg.Client,
  restoreId: string,
  failures: readonly UndoFailure[],
  shownKeys: number,
): Promise<UndoneTable<LeftRows>[]> {
  const reports: UndoneTable<LeftRows>[] = [];
  for (const { oid, schema, table, deleted, broughtBack, gone } of await readUndoTables(client, restoreId)) {
    const target = `${schema}.${table}`;
    const left = await readLeftRows(client, restoreId, oid, shownKeys);
    const error = failures.find((failure) => failure.target === target)?.error ?? null;
    reports.push({ target, deleted, broughtBack, gone, left, error });
  }
  return reports;
}
