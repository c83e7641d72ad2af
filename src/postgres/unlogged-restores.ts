import type pg from 'pg';
import type { SnapshotTableName } from '../contract/snapshot.ts';
import { exactIsoTime, readKept } from './kept.ts';

/** A restore of a snapshot that changed rows: no trigger fires then, so that no log has it. */
export interface UnloggedRestore extends SnapshotTableName {
  readonly restoreId: string;
  /** ISO 8601 */
  readonly mergedAt: string;
}

/** The last restore of a snapshot that changed one of the tables within a window; null for none. */
export async function findUnloggedRestore(
  client: pg.Client,
  tables: readonly SnapshotTableName[],
  { after, to }: { readonly after: string; readonly to: string },
): Promise<UnloggedRestore | null> {
  // A session that has no such table would spoil the transaction.
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('thaw.snapshot_restores') is not null as there`,
  );
  if (rows[0]?.there !== true) return null;
  const [last] = await readKept<UnloggedRestore>(
    client,
    'thaw.snapshot_restores',
    `select restore_id as "restoreId", ${exactIsoTime('merged_at')} as "mergedAt", done.schema, done."table"
     from thaw.snapshot_restores as restore,
       jsonb_to_recordset(restore.merged)
         as done (schema text, "table" text, inserted bigint, updated bigint, deleted bigint)
     where merged_at > $1::timestamptz and merged_at <= $2::timestamptz
       and done.inserted + done.updated + done.deleted > 0
       and exists (
         select from unnest($3::text[], $4::text[]) as own (schema, name)
         where own.schema = done.schema and own.name = done."table"
       )
     order by merged_at desc limit 1`,
    [after, to, tables.map(({ schema }) => schema), tables.map(({ table }) => table)],
  );
  return last ?? null;
}
