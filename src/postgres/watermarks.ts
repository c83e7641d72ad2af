import type pg from 'pg';
import type { Watermark } from '../contract/watermark.ts';
import { databaseError, isSqlState, sqlState } from './sqlstate.ts';

const object = 'restore_watermarks';

/** The archiver's table: unqualified, so in the first schema of the search path, as its own tool makes it. */
const createTable = `
  create table if not exists restore_watermarks (
    database_name text not null,
    table_name text not null,
    last_restored_date timestamptz not null,
    last_restored_s3_key text not null,
    total_archives_restored integer not null default 0,
    updated_at timestamptz not null default now(),
    primary key (database_name, table_name)
  )`;

/** Reads a watermark of the database; null when there is none. */
export async function readWatermark(
  client: pg.Client,
  database: string,
  table: string,
): Promise<Watermark | null> {
  try {
    const { rows } = await client.query<{ day: string; key: string; total: number }>(
      `select to_char(last_restored_date at time zone 'UTC', 'YYYY-MM-DD') as day,
         last_restored_s3_key as key, total_archives_restored as total
       from restore_watermarks where database_name = $1 and table_name = $2`,
      [database, table],
    );
    const row = rows[0];
    if (row === undefined) return null;
    return {
      database,
      table,
      lastRestoredDay: row.day,
      lastRestoredKey: row.key,
      totalArchives: row.total,
      target: null,
    };
  } catch (error) {
    if (isSqlState(error, sqlState.undefinedTable)) return null;
    throw databaseError(error, { object });
  }
}

/** Writes a watermark into the database; the table is made on first use. */
export async function writeWatermark(client: pg.Client, watermark: Watermark): Promise<void> {
  const { database, table, lastRestoredDay, lastRestoredKey, totalArchives } = watermark;
  try {
    await client.query(createTable);
    await client.query(
      `insert into restore_watermarks
         (database_name, table_name, last_restored_date, last_restored_s3_key, total_archives_restored)
       values ($1, $2, $3::date::timestamp at time zone 'UTC', $4, $5)
       on conflict (database_name, table_name) do update
       set last_restored_date = excluded.last_restored_date,
         last_restored_s3_key = excluded.last_restored_s3_key,
         total_archives_restored = excluded.total_archives_restored, updated_at = now()`,
      [database, table, lastRestoredDay, lastRestoredKey, totalArchives],
    );
  } catch (error) {
    throw databaseError(error, { object });
  }
}
