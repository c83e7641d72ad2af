import type pg from 'pg';
import type { SnapshotType } from '../contract/snapshot.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { qualifiedName } from './identifier.ts';
import { exactIsoTime, isoTime } from './kept.ts';
import { databaseError } from './sqlstate.ts';

/** Where a snapshot lies that is a row of the source system's table. */
export interface StoredSnapshot {
  /** Of the table `backup_pitr_snapshots`. */
  readonly schema: string;
  readonly id: string;
}

/** A snapshot that is a row of that table, as its other columns describe it. */
export interface StoredFacts extends StoredSnapshot {
  readonly name: string;
  readonly type: SnapshotType;
  readonly tenantId: string;
  /** Times are ISO 8601. */
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
  readonly status: 'active' | 'expired' | 'rolled_back' | 'archived';
  readonly isRolledBack: boolean;
  /** Tables without a column `tenant_id` that belong to this tenant alone. */
  readonly wholeTables: readonly string[];
}

/**
 * Finds a snapshot by its id, in whichever schema its table is; null where there is none.
 *
 * @throws ThawError what the database refuses
 */
export async function findStoredSnapshot(client: pg.Client, id: string): Promise<StoredFacts | null> {
  try {
    const { rows: tables } = await client.query<{ schema: string }>(
      `select n.nspname as schema from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relname = 'backup_pitr_snapshots' and c.relkind in ('r', 'p')
       order by n.nspname <> 'public', n.nspname`,
    );
    for (const { schema } of tables) {
      const { rows } = await client.query<StoredFacts>(
        `select $2 as schema, id::text, snapshot_name as name, snapshot_type as type, tenant_id::text as "tenantId",
           ${exactIsoTime('created_at')} as "createdAt", created_by as "createdBy", ${isoTime('expires_at')} as "expiresAt",
           status, coalesce(is_rolled_back, false) as "isRolledBack",
           case jsonb_typeof(metadata -> 'whole_tables') when 'array' then metadata -> 'whole_tables' else '[]' end
             as "wholeTables"
         from ${tableOf(schema)} where id::text = lower($1)`,
        [id, schema],
      );
      const [snapshot] = rows;
      if (snapshot !== undefined) return snapshot;
    }
    return null;
  } catch (error) {
    throw databaseError(error, { object: `backup_pitr_snapshots ${id}` });
  }
}

/**
 * Marks a snapshot as rolled back, in the transaction that is open.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function markRolledBack(
  client: pg.Client,
  { schema, id }: StoredSnapshot,
  by: string,
  notes: string,
): Promise<void> {
  await client.query(
    `update ${tableOf(schema)} set is_rolled_back = true, rolled_back_at = now(), rolled_back_by = $2,
       rollback_notes = $3, status = 'rolled_back'
     where id::text = lower($1)`,
    [id, by, notes],
  );
}

/**
 * Takes that mark away, in the transaction that is open.
 *
 * @param notes stays beside it
 * @throws what PostgreSQL answers, raw
 */
export async function unmarkRolledBack(
  client: pg.Client,
  { schema, id }: StoredSnapshot,
  notes: string,
): Promise<void> {
  await client.query(
    `update ${tableOf(schema)} set is_rolled_back = false, rolled_back_at = null, rolled_back_by = null,
       rollback_notes = $2, status = 'active'
     where id::text = lower($1)`,
    [id, notes],
  );
}

/** Bytes of lines that are fetched at once, about: a row may be of any size. */
const fetchBytes = 1024 * 1024;
const mostRows = 5_000;

/**
 * The tables of a snapshot, each with the number of its rows, by what `snapshot_data` holds.
 *
 * @throws ThawError `ArchiveNotFound` where there is no such snapshot; `ArchiveCorrupt` where its data is no object
 * of arrays
 */
export async function readStoredTables(
  client: pg.Client,
  { schema, id }: StoredSnapshot,
): Promise<{ readonly name: string; readonly rows: number }[]> {
  const object = `${schema}.backup_pitr_snapshots ${id}`;
  try {
    const { rows: found } = await client.query<{ form: string | null }>(
      `select jsonb_typeof(snapshot_data) as form from ${tableOf(schema)} where id::text = lower($1)`,
      [id],
    );
    const [snapshot] = found;
    if (snapshot === undefined)
      throw new ThawError(
        'ArchiveNotFound',
        `There is no snapshot ${id} in ${schema}.backup_pitr_snapshots.`,
        {
          object,
        },
      );
    if (snapshot.form !== 'object') throw noTables(object, 'its data is no object of tables');
    const { rows: tables } = await client.query<{ name: string; rows: number | null }>(
      `select data.key as name, case jsonb_typeof(data.value) when 'array' then jsonb_array_length(data.value) end as rows
       from ${tableOf(schema)} as snapshot, jsonb_each(snapshot.snapshot_data) as data
       where snapshot.id::text = lower($1)
       order by data.key`,
      [id],
    );
    return tables.map(({ name, rows }) => {
      if (rows === null) throw noTables(object, 'what it has of a table is no array of rows');
      return { name, rows };
    });
  } catch (error) {
    throw databaseError(error, { object });
  }
}

/**
 * The rows of a table of a snapshot as texts of JSON, none of which has a newline, some at a time. The connection is
 * in a transaction until the last ones came.
 */
export async function* readStoredRows(
  client: pg.Client,
  { schema, id }: StoredSnapshot,
  table: string,
): AsyncGenerator<readonly string[]> {
  await client.query('begin read only');
  try {
    await client.query(
      `declare thaw_rows no scroll cursor for
       select data.value::text as line
       from ${tableOf(schema)} as snapshot, jsonb_array_elements(snapshot.snapshot_data -> $2::text) as data
       where snapshot.id::text = lower($1)`,
      [id, table],
    );
    for (let count = 100; ; ) {
      const { rows } = await client.query<{ line: string }>(`fetch ${count} from thaw_rows`);
      if (rows.length === 0) break;
      yield rows.map(({ line }) => line);
      const average = rows.reduce((bytes, { line }) => bytes + line.length, 0) / rows.length;
      count = Math.min(mostRows, Math.max(1, Math.floor(fetchBytes / average)));
    }
  } finally {
    // Nothing was written; where the connection is lost, the transaction is too.
    await client.query('rollback').catch(() => {});
  }
}

function tableOf(schema: string): string {
  return qualifiedName(schema, 'backup_pitr_snapshots');
}

function noTables(object: string, what: string): ThawError {
  return new ThawError('ArchiveCorrupt', `${object}: ${what}.`, {
    object,
    hint: 'snapshot_data is an object with an array of rows for each table: {"table": [{"column": value}]}.',
  });
}
