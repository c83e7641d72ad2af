import type pg from 'pg';
import type { RejectedRow } from './rejected-rows.ts';
import { databaseError, isSqlState, sqlState } from './sqlstate.ts';

const object = 'thaw.rejected_rows';

/** Rejected rows of one archive that share a reason. */
export interface RejectReason {
  readonly column: string | null;
  readonly sqlstate: string | null;
  /** Without any value of the rows. */
  readonly message: string;
  readonly rows: number;
  /** 1-based, of the first of them. */
  readonly line: number;
}

/** The rejected rows of an archive that a restore brought. */
export interface RejectedArchive {
  readonly restoreId: string;
  /** Of the target, or of the root of its partitions, when it was restored. */
  readonly oid: number;
  /** `schema.table` of the target, as it was called when it was last restored into. */
  readonly target: string;
  readonly key: string;
  /** Kept until now. */
  readonly rows: number;
  /** Brought into the table since. */
  readonly restored: number;
  /** Why the kept ones are, the most frequent first. */
  readonly reasons: readonly RejectReason[];
}

/**
 * What is kept of rejected rows, without their content. Nothing where Thaw never wrote into this database.
 *
 * @param restoreId only of this restore; null: of all, the newest first
 */
export async function listRejects(client: pg.Client, restoreId: string | null): Promise<RejectedArchive[]> {
  try {
    const { rows } = await client.query<RejectedArchive>(
      `with reasons as (
         select restore_id, target_oid, key, column_name, sqlstate,
           -- the slicer begins with the line, which is told besides
           regexp_replace(message, '^Line \\d+: ', '') as reason,
           count(*) filter (where restored_at is null) as rows,
           count(restored_at) as restored,
           min(line) filter (where restored_at is null) as line
         from thaw.rejected_rows
         where $1::text is null or restore_id = $1
         group by restore_id, target_oid, key, column_name, sqlstate, reason
       )
       select reasons.restore_id as "restoreId", reasons.target_oid as oid,
         coalesce(t.schema_name || '.' || t.table_name, reasons.target_oid::regclass::text) as target,
         reasons.key, sum(reasons.rows)::bigint as rows, sum(reasons.restored)::bigint as restored,
         coalesce(json_agg(json_build_object('column', column_name, 'sqlstate', sqlstate, 'message', reason,
             'rows', reasons.rows, 'line', line) order by reasons.rows desc, line)
           filter (where reasons.rows > 0), '[]') as reasons
       from reasons
       left join thaw.targets t on t.target_oid = reasons.target_oid
       left join thaw.archives a
         on a.restore_id = reasons.restore_id and a.target_oid = reasons.target_oid and a.key = reasons.key
       group by reasons.restore_id, reasons.target_oid, target, reasons.key, a.ordinal
       order by reasons.restore_id desc, target, a.ordinal, reasons.key`,
      [restoreId],
    );
    return rows;
  } catch (error) {
    if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName)) return [];
    throw databaseError(error, { object });
  }
}

/** Whose rejected rows are meant. */
export interface KeptScope {
  readonly restoreId: string;
  /** Of the target, or of the root of its partitions. */
  readonly oid: number;
}

/** An archive of which rows are kept. */
export interface KeptArchive {
  readonly key: string;
  readonly rows: number;
}

/** The archives of which rows are kept, in archive order. */
export async function readKeptArchives(client: pg.Client, scope: KeptScope): Promise<KeptArchive[]> {
  const { rows } = await client.query<KeptArchive>(
    `select key, count(*) as rows
     from thaw.rejected_rows
     left join thaw.archives a using (restore_id, target_oid, key)
     where restore_id = $1 and target_oid = $2 and restored_at is null
     group by key, a.ordinal
     order by a.ordinal, key`,
    [scope.restoreId, scope.oid],
  );
  return rows;
}

/** A line of an archive that is kept. */
export interface KeptLine {
  /** 1-based. */
  readonly line: number;
  readonly content: string;
}

/** How much of an archive is read at a time; a line may be long. */
const pageRows = 100;

/** The kept lines of an archive, in order. */
export async function* readKeptLines(
  client: pg.Client,
  scope: KeptScope,
  key: string,
): AsyncGenerator<KeptLine> {
  for (let after = 0; ; ) {
    const { rows }: { rows: KeptLine[] } = await client.query<KeptLine>(
      `select line, content from thaw.rejected_rows
       where restore_id = $1 and target_oid = $2 and key = $3 and restored_at is null and line > $4
       order by line
       limit $5`,
      [scope.restoreId, scope.oid, key, after, pageRows],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return;
    after = last.line;
  }
}

/** The numbers of the kept lines of some archives, by key. */
export async function readKeptNumbers(
  client: pg.Client,
  scope: KeptScope,
  keys: readonly string[],
): Promise<Map<string, ReadonlySet<number>>> {
  const { rows } = await client.query<{ key: string; lines: number[] }>(
    `select key, json_agg(line) as lines from thaw.rejected_rows
     where restore_id = $1 and target_oid = $2 and key = any($3) and restored_at is null
     group by key`,
    [scope.restoreId, scope.oid, keys],
  );
  return new Map(rows.map(({ key, lines }) => [key, new Set(lines)]));
}

/**
 * Claims the kept rows of archives for a retry, until the transaction ends.
 *
 * @returns the keys that there still are kept rows of
 */
export async function claimKeptRows(
  client: pg.Client,
  scope: KeptScope,
  keys: readonly string[],
): Promise<Set<string>> {
  await client.query(
    `select from thaw.archives where restore_id = $1 and target_oid = $2 and key = any($3) for update`,
    [scope.restoreId, scope.oid, keys],
  );
  const { rows } = await client.query<{ key: string }>(
    `select distinct key from thaw.rejected_rows
     where restore_id = $1 and target_oid = $2 and key = any($3) and restored_at is null`,
    [scope.restoreId, scope.oid, keys],
  );
  return new Set(rows.map(({ key }) => key));
}

/** What a retry did with the kept rows of an archive. */
export interface RetriedArchive {
  readonly key: string;
  readonly counts: { readonly inserted: number; readonly updated: number; readonly skipped: number };
  /** Those that were refused once more, and why. */
  readonly rejected: readonly RejectedRow[];
}

/**
 * Writes what became of kept rows, in the transaction that brought them into the table: the ledger counts them
 * as what they are now, and of those that went in the content is let go.
 */
export async function settleKeptRows(
  client: pg.Client,
  scope: KeptScope,
  { key, counts, rejected }: RetriedArchive,
): Promise<void> {
  const place = [scope.restoreId, scope.oid, key];
  await client.query(
    `update thaw.rejected_rows
     set restored_at = now(), content = null
     where restore_id = $1 and target_oid = $2 and key = $3 and restored_at is null and line <> all($4::bigint[])`,
    [...place, rejected.map(({ line }) => line)],
  );
  await client.query(
    `update thaw.rejected_rows as own
     set column_name = again.column_name, sqlstate = again.sqlstate, message = again.message
     from unnest($4::bigint[], $5::text[], $6::text[], $7::text[])
       as again (line, column_name, sqlstate, message)
     where restore_id = $1 and target_oid = $2 and key = $3 and own.line = again.line`,
    [
      ...place,
      rejected.map(({ line }) => line),
      rejected.map(({ column }) => column),
      rejected.map(({ sqlstate }) => sqlstate),
      rejected.map(({ message }) => message),
    ],
  );
  await client.query(
    `update thaw.archives
     set inserted = inserted + $4, updated = updated + $5, skipped = skipped + $6, rejected = $7
     where restore_id = $1 and target_oid = $2 and key = $3`,
    [...place, counts.inserted, counts.updated, counts.skipped, rejected.length],
  );
}

/** Keeps other retries of the same rows away for as long as this session lasts. @returns false where there is one */
export async function lockRetry(client: pg.Client, { restoreId, oid }: KeptScope): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(hashtextextended($1, 0)) as locked`,
    [`thaw/retry/${restoreId}/${oid}`],
  );
  return rows[0]?.locked ?? false;
}
