import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import type { LedgerArchive } from './ledger.ts';
import { isSqlState, sqlState } from './sqlstate.ts';

/** The archives of one table, as the ledger of one target knows them. */
export interface RestoredScope {
  readonly restoreId: string;
  readonly target: Pick<HeldTarget, 'oid'>;
  /** Name of the store, such as `s3://bucket`. */
  readonly store: string;
  /** The folders that they lie in. */
  readonly folders: readonly string[];
}

/** Of `a`: an archive below some folders that counts as restored into a target. */
const isRestored = `a.target_oid = $1 and a.store = $2
  and exists (select from unnest($3::text[]) as folder where starts_with(a.key, folder))
  and a.state in ('restored', 'trusted') and not a.partial`;

/** Counts the archives that were restored into the target, by whichever restore. */
export async function countRestored(
  client: pg.Client,
  { target, store, folders }: RestoredScope,
): Promise<number> {
  const { rows } = await client.query<{ archives: number }>(
    `select count(distinct a.key) as archives from thaw.archives a where ${isRestored}`,
    [target.oid, store, folders],
  );
  return rows[0]?.archives ?? 0;
}

/**
 * Tells whether other restores have restored anything into the target. Archives that were asked for by their
 * keys do not count: they say nothing of the others. Without the schema `thaw` nothing was restored.
 */
export async function knowsRestored(
  client: pg.Client,
  { restoreId, target, store, folders }: RestoredScope,
): Promise<boolean> {
  try {
    const { rows } = await client.query<{ known: boolean }>(
      `select exists (
         select from thaw.archives a left join thaw.restores r using (restore_id)
         where ${isRestored} and a.restore_id <> $4
           and jsonb_typeof(r.request -> 'keys') is distinct from 'array') as known`,
      [target.oid, store, folders, restoreId],
    );
    return rows[0]?.known ?? false;
  } catch (error) {
    if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName)) return false;
    throw error;
  }
}

/** Of some archives, those that count as restored, and did not fail in this restore. */
export async function findRestored(
  client: pg.Client,
  { restoreId, target, store, folders }: RestoredScope,
  archives: readonly Pick<LedgerArchive, 'key' | 'etag'>[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ key: string }>(
    `select distinct a.key
     from unnest($5::text[], $6::text[]) as wanted (key, etag)
     join thaw.archives a on a.key = wanted.key and a.etag = wanted.etag
     where ${isRestored} and not exists (
       select from thaw.archives own
       where own.restore_id = $4 and own.target_oid = $1 and own.key = a.key and own.state = 'failed')`,
    [target.oid, store, folders, restoreId, archives.map(({ key }) => key), archives.map(({ etag }) => etag)],
  );
  return new Set(rows.map(({ key }) => key));
}

/** Has archives count as restored that a watermark of another tool passes. */
export async function trustArchives(
  client: pg.Client,
  { restoreId, target, store }: Omit<RestoredScope, 'folders'> & { readonly target: HeldTarget },
  archives: readonly Pick<LedgerArchive, 'key' | 'etag' | 'bytes'>[],
): Promise<void> {
  await client.query(
    `insert into thaw.archives
       (restore_id, target_oid, store, key, etag, bytes, epoch, ordinal, state, what, finished_at)
     select $1, $2, $3, key, etag, bytes, $4, -1, 'trusted', 'watermark', now()
     from unnest($5::text[], $6::text[], $7::bigint[]) as trusted (key, etag, bytes)
     on conflict (restore_id, target_oid, key) do nothing`,
    [
      restoreId,
      target.oid,
      store,
      target.epoch,
      archives.map(({ key }) => key),
      archives.map(({ etag }) => etag),
      archives.map(({ bytes }) => bytes),
    ],
  );
}
