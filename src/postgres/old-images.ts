import type pg from 'pg';
import { readKept } from './kept.ts';

/** Rows that one statement removes. */
const step = 20_000;

/**
 * Removes what restores and imports have kept so long ago, so that they can be undone no more.
 *
 * @param seconds since they kept anything
 * @returns how many restores
 */
export async function removeOldImages(client: pg.Client, seconds: number): Promise<number> {
  const old = await readKept<{ id: string }>(
    client,
    'thaw.undo_tables',
    `select restore_id as id from (
       select restore_id, kept_at as at from thaw.undo_tables
       union all select restore_id, begun_at from thaw.undoable_imports) as kept
     group by restore_id having max(at) < now() - make_interval(secs => $1)`,
    [seconds],
  );
  for (const { id } of old) {
    for (let removed = step; removed === step; ) {
      const { rowCount } = await client.query(
        `delete from thaw.undo_rows where restore_id = $1 and (target_oid, key) in (
           select target_oid, key from thaw.undo_rows where restore_id = $1 limit $2)`,
        [id, step],
      );
      removed = rowCount ?? 0;
    }
    await client.query(
      `with tables as (delete from thaw.undo_tables where restore_id = $1),
         objects as (delete from thaw.made_objects where restore_id = $1)
       delete from thaw.undoable_imports where restore_id = $1`,
      [id],
    );
  }
  return old.length;
}
