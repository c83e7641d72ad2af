import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import type { ErrorCode } from '../contract/error-code.ts';
import type { ArchiveFailure, ColumnNote, RowCounts } from '../contract/outcome.ts';
import type { Stage } from '../contract/thaw-error.ts';

/** Whose archives are claimed, and for which table. */
export interface LedgerScope {
  readonly restoreId: string;
  readonly target: HeldTarget;
  /** Name of the store, such as `s3://bucket`. */
  readonly store: string;
  /** Name of the load. */
  readonly what: string;
  readonly attempt: number;
  /** The restore takes only a part of each archive; see `isPartial`. */
  readonly partial: boolean;
}

/** An archive as the ledger knows it. */
export interface LedgerArchive {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
  /** Place in archive order. */
  readonly ordinal: number;
}

/** Of `past`: it was restored, whole, by another restore than $1, or counts as such. */
const isEarlier = `past.state in ('restored', 'trusted') and not past.partial
  and (past.state = 'trusted' or past.restore_id <> $1)`;

/** What a claim found: the archive is now this transaction's, was restored by another restore, or was decided by this one. */
export type Claim = 'claimed' | 'earlier' | 'decided';

/**
 * Claims archives in the loading transaction: the rows of the ledger commit with the rows of the table.
 * A claim that another attempt holds waits for it, as long as `lock_timeout` allows.
 *
 * An archive that failed in this restore may be claimed again for a later place only: that is a new try.
 *
 * @param passOverEarlier loads what other restores have restored, too
 * @returns by key
 */
export async function claimArchives(
  client: pg.Client,
  scope: LedgerScope,
  archives: readonly LedgerArchive[],
  passOverEarlier: boolean,
): Promise<Map<string, Claim>> {
  const { rows } = await client.query<{ key: string; claim: Claim }>(
    `with wanted as (
       select * from unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[]) as w (key, etag, bytes, ordinal)
     ), earlier as (
       select key from wanted
       where not $11 and exists (
         select from thaw.archives past
         where past.target_oid = $2 and past.key = wanted.key and past.etag = wanted.etag
           and past.store = $4 and ${isEarlier})
     ), claimed as (
       insert into thaw.archives as own
         (restore_id, target_oid, epoch, store, what, attempt, key, etag, bytes, ordinal, state, partial)
       select $1, $2, $3, $4, $5, $6, key, etag, bytes, ordinal, 'claimed', $12
       from wanted where key not in (select key from earlier)
       on conflict (restore_id, target_oid, key) do update
       set epoch = excluded.epoch, what = excluded.what, attempt = excluded.attempt, etag = excluded.etag,
         bytes = excluded.bytes, ordinal = excluded.ordinal, state = 'claimed', rows = null,
         error_code = null, error_message = null, error_hint = null, error_stage = null, deferred = false
       where own.state <> 'restored' and (own.epoch, own.ordinal) < (excluded.epoch, excluded.ordinal)
       returning key
     )
     select key, case
         when key in (select key from earlier) then 'earlier'
         when key in (select key from claimed) then 'claimed'
         else 'decided'
       end as claim
     from wanted`,
    [
      scope.restoreId,
      scope.target.oid,
      scope.target.epoch,
      scope.store,
      scope.what,
      scope.attempt,
      archives.map(({ key }) => key),
      archives.map(({ etag }) => etag),
      archives.map(({ bytes }) => bytes),
      archives.map(({ ordinal }) => ordinal),
      passOverEarlier,
      scope.partial,
    ],
  );
  return new Map(rows.map(({ key, claim }) => [key, claim]));
}

/** What a load did with an archive. */
export interface SettledArchive {
  readonly key: string;
  /** Records read. */
  readonly rows: number;
  readonly counts: RowCounts;
  readonly columnNotes: readonly ColumnNote[];
  /** The schema that it was archived from, where that is another one and it was left out. */
  readonly foreignSchema: string | null;
}

/** Writes what became of claimed archives, in the transaction that claimed them. */
export async function settleArchives(
  client: pg.Client,
  scope: LedgerScope,
  archives: readonly SettledArchive[],
): Promise<void> {
  await client.query(
    `update thaw.archives as own
     set state = case when done.foreign_schema is null then 'restored' else 'foreign' end,
       finished_at = clock_timestamp(), rows = done.rows, inserted = done.inserted,
       updated = done.updated, skipped = done.skipped, rejected = done.rejected,
       column_notes = nullif(done.column_notes, '[]'), foreign_schema = done.foreign_schema
     from unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::jsonb[],
         $10::text[])
       as done (key, rows, inserted, updated, skipped, rejected, column_notes, foreign_schema)
     where own.restore_id = $1 and own.target_oid = $2 and own.key = done.key`,
    [
      scope.restoreId,
      scope.target.oid,
      archives.map(({ key }) => key),
      archives.map(({ rows }) => rows),
      archives.map(({ counts }) => counts.inserted),
      archives.map(({ counts }) => counts.updated),
      archives.map(({ counts }) => counts.skipped),
      archives.map(({ counts }) => counts.failed),
      archives.map(({ columnNotes }) => JSON.stringify(columnNotes)),
      archives.map(({ foreignSchema }) => foreignSchema),
    ],
  );
}

/**
 * Writes that an archive, claimed in this transaction, failed, and why.
 *
 * @param deferred a later try may restore it
 */
export async function failArchive(
  client: pg.Client,
  scope: LedgerScope,
  failure: ArchiveFailure,
  deferred: boolean,
): Promise<void> {
  await client.query(
    `update thaw.archives
     set state = 'failed', finished_at = clock_timestamp(), rows = $4, inserted = 0, updated = 0, skipped = 0,
       rejected = 0, error_code = $5, error_message = $6, error_hint = $7, error_stage = $8, deferred = $9
     where restore_id = $1 and target_oid = $2 and key = $3`,
    [
      scope.restoreId,
      scope.target.oid,
      failure.archive,
      failure.rows,
      failure.code,
      failure.message,
      failure.hint,
      failure.stage,
      deferred,
    ],
  );
}

/** An archive that this restore has decided. */
export interface DecidedArchive extends LedgerArchive {
  readonly state: 'restored' | 'failed' | 'foreign';
  /** Of a foreign one. */
  readonly foreignSchema: string | null;
  readonly rows: number;
  readonly counts: RowCounts;
  readonly columnNotes: readonly ColumnNote[];
  readonly failure: ArchiveFailure | null;
  /** A later try may restore it. */
  readonly deferred: boolean;
}

/** Reads what this restore has decided of some archives. */
export async function readDecided(
  client: pg.Client,
  scope: LedgerScope,
  keys: readonly string[],
): Promise<DecidedArchive[]> {
  const { rows } = await client.query<DecidedRow>(
    `select key, etag, bytes, ordinal, state, coalesce(rows, 0) as rows, inserted, updated, skipped, rejected,
       foreign_schema, coalesce(column_notes, '[]') as column_notes, error_code, error_message, error_hint, error_stage, deferred
     from thaw.archives
     where restore_id = $1 and target_oid = $2 and key = any($3) and state <> 'claimed'`,
    [scope.restoreId, scope.target.oid, keys],
  );
  return rows.map((row) => ({
    key: row.key,
    etag: row.etag,
    bytes: row.bytes,
    ordinal: row.ordinal,
    state: row.state,
    foreignSchema: row.foreign_schema,
    rows: row.rows,
    deferred: row.deferred,
    counts: { inserted: row.inserted, updated: row.updated, skipped: row.skipped, failed: row.rejected },
    columnNotes: row.column_notes,
    failure:
      row.error_code === null
        ? null
        : {
            archive: row.key,
            code: row.error_code,
            message: row.error_message ?? '',
            hint: row.error_hint ?? '',
            stage: row.error_stage,
            rows: row.rows,
          },
  }));
}

/** Of some archives, those that another restore has restored into the target, whole and with the same entity tag. */
export async function findEarlier(
  client: pg.Client,
  scope: Pick<LedgerScope, 'restoreId' | 'target' | 'store'>,
  archives: readonly Pick<LedgerArchive, 'key' | 'etag'>[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ key: string }>(
    `select distinct past.key
     from unnest($4::text[], $5::text[]) as wanted (key, etag)
     join thaw.archives past on past.target_oid = $2 and past.key = wanted.key and past.etag = wanted.etag
     where past.store = $3 and ${isEarlier}`,
    [
      scope.restoreId,
      scope.target.oid,
      scope.store,
      archives.map(({ key }) => key),
      archives.map(({ etag }) => etag),
    ],
  );
  return new Set(rows.map(({ key }) => key));
}

/** Tells whether archives of other schemas were found among those of a table, by any restore. */
export async function hasForeign(
  client: pg.Client,
  { target, store }: Pick<LedgerScope, 'target' | 'store'>,
): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (
       select from thaw.archives where target_oid = $1 and store = $2 and state = 'foreign') as found`,
    [target.oid, store],
  );
  return rows[0]?.found ?? false;
}

interface DecidedRow {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
  readonly ordinal: number;
  readonly state: 'restored' | 'failed' | 'foreign';
  readonly foreign_schema: string | null;
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  readonly rejected: number;
  readonly column_notes: readonly ColumnNote[];
  readonly error_code: ErrorCode | null;
  readonly error_message: string | null;
  readonly error_hint: string | null;
  readonly error_stage: Stage | null;
  readonly deferred: boolean;
}
