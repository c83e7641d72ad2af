import type pg from 'pg';
import { isSqlState, sqlState } from './sqlstate.ts';

/** Tells whether a table of the archiver is there: unqualified, so in the first schema of the search path that has it. */
export async function hasArchiverTable(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    name,
  ]);
  return rows[0]?.there ?? false;
}

/**
 * Makes a table of the archiver where it is not there. Call it outside a transaction.
 *
 * @param createTable `create table if not exists …`
 */
export async function ensureArchiverTable(
  client: pg.Client,
  name: string,
  createTable: string,
): Promise<void> {
  // `create … if not exists` needs the right to create even where there is nothing to create.
  if (await hasArchiverTable(client, name)) return;
  try {
    await client.query(createTable);
  } catch (error) {
    // Two that make it at the same time collide even so, and then it is there.
    if (!isSqlState(error, sqlState.uniqueViolation)) throw error;
  }
}
