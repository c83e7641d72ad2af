import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { quoteIdentifier } from './identifier.ts';
import { databaseError, isSqlState, sqlState } from './sqlstate.ts';

/**
 * Reads rows of a table of the schema `thaw`; none where Thaw never wrote into this database.
 *
 * @param object what errors name, such as `thaw.drills`
 */
export async function readKept<Row extends object>(
  client: pg.ClientBase,
  object: string,
  sql: string,
  values: readonly unknown[],
): Promise<Row[]> {
  try {
    const { rows } = await client.query<Row>(sql, [...values]);
    return rows;
  } catch (error) {
    if (isSqlState(error, sqlState.undefinedTable, sqlState.invalidSchemaName)) return [];
    throw databaseError(error, { object });
  }
}

/** Reads what restores can go on without; null where the schema `thaw` is that of a user who shares nothing of it. */
export async function readIfAllowed<T>(read: () => Promise<T | null>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ThawError && error.code === 'PermissionDenied') return null;
    throw error;
  }
}

/**
 * Renames a schema of records, so that what somebody restores can bring its own `thaw`, or that it is `thaw` again.
 *
 * @returns false where there is none, or one of the other name
 */
export async function renameKept(client: pg.ClientBase, from: string, to: string): Promise<boolean> {
  try {
    const { rows } = await client.query(
      `select from pg_namespace where nspname = $1
       and not exists (select from pg_namespace where nspname = $2)`,
      [from, to],
    );
    if (rows.length === 0) return false;
    await client.query(`alter schema ${quoteIdentifier(from)} rename to ${quoteIdentifier(to)}`);
    return true;
  } catch (error) {
    throw databaseError(error, { object: from });
  }
}

/** Writes into a table of the schema `thaw`, which `ensureSchema` has made. */
export async function writeKept(
  client: pg.ClientBase,
  object: string,
  sql: string,
  values: readonly unknown[],
): Promise<void> {
  try {
    await client.query(sql, [...values]);
  } catch (error) {
    throw databaseError(error, { object });
  }
}

/** An expression for a time as ISO 8601 in UTC, to the microsecond, as PostgreSQL has it. */
export function exactIsoTime(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** An expression for a time as ISO 8601 in UTC. */
export function isoTime(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
