import type pg from 'pg';
import type { TableName } from './foreign-keys.ts';

/** A table that a restore has made. */
export interface CreatedTable {
  /** Of the archive that held the schema. */
  readonly key: string;
  /** What of it the table does not have, and why. */
  readonly leftOut: readonly string[];
}

/** Key of the advisory lock under which tables are made: "thtb" in ASCII. */
const tablesLock = 0x74687462;

/** Waits until no other transaction makes tables, and keeps others from it until this one ends. */
export async function lockTableCreation(client: pg.Client): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [tablesLock]);
}

/** Notes, in the transaction that makes a table, what it was made from. */
export async function recordCreated(
  client: pg.Client,
  restoreId: string,
  { schema, table }: TableName,
  { key, leftOut }: CreatedTable,
): Promise<void> {
  await client.query(
    `insert into thaw.created_tables (target_oid, restore_id, key, left_out)
     select c.oid, $1, $4, $5
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $2 and c.relname = $3`,
    [restoreId, schema, table, key, leftOut],
  );
}

/** What a restore has made a table from; null where it was there before. */
export async function readCreated(
  client: pg.Client,
  restoreId: string,
  oid: number,
): Promise<CreatedTable | null> {
  const { rows } = await client.query<CreatedTable>(
    `select key, left_out as "leftOut" from thaw.created_tables where restore_id = $1 and target_oid = $2`,
    [restoreId, oid],
  );
  return rows[0] ?? null;
}
