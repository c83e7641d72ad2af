import type pg from 'pg';
import { quoteIdentifier } from './identifier.ts';
import { databaseError } from './sqlstate.ts';
import { inTransaction } from './transaction.ts';

/** Makes a schema for a rehearsal, unless an earlier attempt has. */
export async function createScratchSchema(client: pg.Client, schema: string): Promise<void> {
  try {
    await client.query(`create schema if not exists ${quoteIdentifier(schema)}`);
  } catch (error) {
    throw databaseError(error, { object: schema });
  }
}

/** What the schema `thaw` keeps of single tables. */
const keptOfTables = [
  ...['archives', 'targets', 'archived_schemas', 'created_tables', 'dropped_indexes', 'rejected_rows'],
];

/** Drops a schema with all that was restored into it, and what is kept of its tables. */
export async function dropScratchSchema(client: pg.Client, schema: string): Promise<void> {
  try {
    await inTransaction(client, async () => {
      for (const table of keptOfTables) {
        await client.query(
          `delete from thaw.${table} where target_oid in (
             select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1)`,
          [schema],
        );
      }
      await client.query(`drop schema if exists ${quoteIdentifier(schema)} cascade`);
    });
  } catch (error) {
    throw databaseError(error, { object: schema });
  }
}
