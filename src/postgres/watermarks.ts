import type pg from 'pg';
import type { Watermark } from '../contract/watermark.ts';
import { ensureArchiverTable, hasArchiverTable } from './archiver-table.ts';
import { databaseError } from './sqlstate.ts';

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

/** Reads a watermark of the database; null when there is none. Without the schema `thaw` it is of another tool. */
export async function readWatermark(
  client: pg.Client,
  database: string,
  table: string,
): Promise<Watermark | null> {
  try {
    if (!(await hasArchiverTable(client, object))) return null;
    const { rows: known } = await client.query<{ own: boolean }>(
      `select to_regclass('thaw.watermarks') is not null as own`,
    );
    const isOwn = known[0]?.own ?? false;
    const { rows } = await client.query<WatermarkRow>(
      `select to_char(mark.last_restored_date at time zone 'UTC', 'YYYY-MM-DD') as day,
         mark.last_restored_s3_key as key, mark.total_archives_restored as total, ${isOwn ? 'own.target' : 'null as target'}
       from restore_watermarks mark
       ${isOwn ? 'left join thaw.watermarks own using (database_name, table_name, updated_at)' : ''}
       where database_name = $1 and table_name = $2`,
      [database, table],
    );
    const row = rows[0];
    if (row === undefined) return null;
    const { day, key, total, target } = row;
    return { database, table, lastRestoredDay: day, lastRestoredKey: key, totalArchives: total, target };
  } catch (error) {
    throw databaseError(error, { object });
  }
}

/**
 * Writes a watermark into the database; the table is made on first use. Both records of it commit together.
 *
 * @param choose gives what is to be written in place of what is there; null: nothing
 */
export async function replaceWatermark(
  client: pg.Client,
  database: string,
  table: string,
  choose: (current: Watermark | null) => Watermark | null,
): Promise<void> {
  try {
    await ensureArchiverTable(client, object, createTable);
    await client.query('begin');
    // One that another restore writes just now is waited for, so that it is seen.
    await client.query('lock table thaw.watermarks in share row exclusive mode');
    const next = choose(await readWatermark(client, database, table));
    if (next !== null) await write(client, next);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw databaseError(error, { object });
  }
}

interface WatermarkRow {
  readonly day: string;
  readonly key: string;
  readonly total: number;
  readonly target: string | null;
}

async function write(client: pg.Client, watermark: Watermark): Promise<void> {
  const { database, table, lastRestoredDay, lastRestoredKey, totalArchives, target } = watermark;
  await client.query(
    `with mark as (
       insert into restore_watermarks
         (database_name, table_name, last_restored_date, last_restored_s3_key, total_archives_restored, updated_at)
       values ($1, $2, $3::date::timestamp at time zone 'UTC', $4, $5, now())
       on conflict (database_name, table_name) do update
       set last_restored_date = excluded.last_restored_date,
         last_restored_s3_key = excluded.last_restored_s3_key,
         total_archives_restored = excluded.total_archives_restored, updated_at = excluded.updated_at
     )
     insert into thaw.watermarks (database_name, table_name, target, updated_at)
     values ($1, $2, $6, now())
     on conflict (database_name, table_name) do update
     set target = excluded.target, updated_at = excluded.updated_at`,
    [database, table, lastRestoredDay, lastRestoredKey, totalArchives, target],
  );
}
