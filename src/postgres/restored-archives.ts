import type pg from 'pg';
import { databaseError, isSqlState, sqlState } from './sqlstate.ts';

/** What the ledger says that a restore did with a table. */
export interface RestoredTable {
  /** Of the target, or of the root of its partitions, when it was restored. */
  readonly oid: number;
  readonly archives: number;
  /** Compressed. */
  readonly bytes: number;
  readonly skipped: number;
  readonly rejected: number;
  readonly failed: number;
  /** Stores that the archives came from, such as `s3://bucket`. */
  readonly stores: readonly string[];
  /** Other restores that changed the table afterwards. */
  readonly laterRestores: readonly string[];
}

/** An archive that a restore brought. */
export interface RestoredArchive {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
  readonly ordinal: number;
  readonly rejected: number;
}

/** The tables that a restore wrote into, by the ledger. Nothing where Thaw never wrote into this database. */
export async function readRestoredTables(client: pg.Client, restoreId: string): Promise<RestoredTable[]> {
  try {
    const { rows } = await client.query<RestoredTable>(
      `select target_oid as oid, count(*) filter (where state = 'restored') as archives,
         coalesce(sum(bytes) filter (where state = 'restored'), 0)::bigint as bytes,
         coalesce(sum(skipped), 0)::bigint as skipped,
         coalesce(sum(rejected) filter (where state = 'restored'), 0)::bigint as rejected,
         count(*) filter (where state = 'failed') as failed,
         array_agg(distinct store) as stores,
         coalesce((
           select array_agg(distinct later.restore_id order by later.restore_id) from thaw.archives later
           where later.target_oid = own.target_oid and later.restore_id <> $1 and later.state = 'restored'
             and later.updated > 0 and later.finished_at > min(own.finished_at)
         ), '{}') as "laterRestores"
       from thaw.archives own
       where restore_id = $1 and state <> 'claimed'
       group by target_oid
       order by target_oid`,
      [restoreId],
    );
    return rows;
  } catch (error) {
    if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName)) return [];
    throw databaseError(error, { object: 'thaw.archives' });
  }
}

/**
 * Some of the archives that a restore brought into a table.
 *
 * @param order from the first that was restored on, or from the last on
 * @param after ordinal of the one before; null at the start
 */
export async function readRestoredArchives(
  client: pg.Client,
  scope: { readonly restoreId: string; readonly oid: number },
  order: 'forwards' | 'backwards',
  after: number | null,
  limit: number,
): Promise<RestoredArchive[]> {
  const [direction, isBehind] = order === 'forwards' ? ['asc', '>'] : ['desc', '<'];
  const { rows } = await client.query<RestoredArchive>(
    `select key, etag, coalesce(bytes, 0) as bytes, ordinal, coalesce(rejected, 0) as rejected
     from thaw.archives
     where restore_id = $1 and target_oid = $2 and state = 'restored'
       and ($3::bigint is null or ordinal ${isBehind} $3)
     order by ordinal ${direction}
     limit $4`,
    [scope.restoreId, scope.oid, after, limit],
  );
  return rows;
}
