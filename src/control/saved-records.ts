import type { ControlClient } from './control-database.ts';

/** The tables of what users save and delete softly. */
export type SavedTable = 'thaw_api.restores' | 'thaw_api.extracts';

const uuidPattern = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/**
 * A saved record; null where the tenant has none of that id, or deleted it. A tenant of null sees those of all.
 *
 * @param lock keeps others from changing, running and deleting it until the transaction ends
 */
export async function readSaved<R extends object>(
  client: ControlClient,
  table: SavedTable,
  id: string,
  tenant: string | null,
  lock: 'for update' | '',
): Promise<R | null> {
  if (!uuidPattern.test(id)) return null;
  const { rows } = await client.query<R>(
    `select * from ${table}
     where id = $1 and ($2::text is null or tenant = $2) and trashed_at is null ${lock}`,
    [id, tenant],
  );
  return rows[0] ?? null;
}

/** Deletes a saved record softly. */
export async function trashSaved<R extends object>(
  client: ControlClient,
  table: SavedTable,
  id: string,
): Promise<R> {
  const { rows } = await client.query<R>(
    `update ${table} set trashed_at = now(), updated_at = now() where id = $1 returning *`,
    [id],
  );
  return onlyRow(rows);
}

/** The row that a statement gives always. */
export function onlyRow<R>(rows: readonly R[]): R {
  const [row] = rows;
  if (row === undefined) throw new Error('the statement gave no row');
  return row;
}
