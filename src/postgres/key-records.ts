import type pg from 'pg';
import { databaseError } from './sqlstate.ts';
import type { TakenKey } from './taken-keys.ts';
import { inTransaction } from './transaction.ts';

/** What became of keys that a restore had recorded. */
export interface KeyCare {
  /** They were missing, and are there again: `name of schema.table`. */
  readonly putBack: readonly string[];
  /** They are missing, and PostgreSQL refuses to add them; they stay recorded. */
  readonly missing: readonly MissingKey[];
}

/** A key that is not there and could not be put back. */
export interface MissingKey {
  /** `name of schema.table` */
  readonly key: string;
  /** What PostgreSQL says. */
  readonly message: string;
  /** What puts it back. */
  readonly statements: readonly string[];
}

/** Writes down what a restore is about to take off: on a connection that is not the one of the merge, so that it stays. */
export async function recordKeys(
  client: pg.Client,
  restoreId: string,
  keys: readonly TakenKey[],
): Promise<void> {
  const rows = keys.map(({ name, child, statements }) => ({ ...child, name, statements }));
  await client.query(
    `insert into thaw.snapshot_foreign_keys
       (restore_id, table_oid, schema_name, table_name, constraint_name, statements)
     select $1, oid, schema, "table", name, statements
     from jsonb_to_recordset($2::jsonb) as key (oid oid, schema text, "table" text, name text, statements text[])
     on conflict (restore_id, table_oid, constraint_name)
       do update set statements = excluded.statements, recorded_at = now()`,
    [restoreId, JSON.stringify(rows)],
  );
}

/** Forgets what was recorded: in the transaction that has put it back. */
export async function forgetKeys(client: pg.Client, restoreId: string): Promise<void> {
  await client.query('delete from thaw.snapshot_foreign_keys where restore_id = $1', [restoreId]);
}

interface RecordRow {
  readonly restore_id: string;
  readonly table_oid: number;
  readonly schema_name: string;
  readonly table_name: string;
  readonly constraint_name: string;
  readonly statements: readonly string[];
  readonly needed: boolean;
}

/**
 * Compares what is recorded with the catalog. Since keys are taken off and put back in one transaction, all of them
 * are there after a failure or a crash, and the record goes; one that is not is put back.
 *
 * @param restoreId null: of all restores
 */
export async function lookAfterKeys(client: pg.Client, restoreId: string | null): Promise<KeyCare> {
  const { rows } = await client.query<RecordRow>(
    `select r.restore_id, r.table_oid, r.schema_name, r.table_name, r.constraint_name, r.statements,
       exists (select from pg_class c where c.oid = r.table_oid) and not exists (
         select from pg_constraint k
         where k.contype = 'f' and k.conrelid = r.table_oid and k.conname = r.constraint_name) as needed
     from thaw.snapshot_foreign_keys r
     where $1::text is null or r.restore_id = $1
     order by r.recorded_at, r.schema_name, r.table_name, r.constraint_name`,
    [restoreId],
  );
  const putBack: string[] = [];
  const missing: MissingKey[] = [];
  for (const row of rows) {
    const key = `${row.constraint_name} of ${row.schema_name}.${row.table_name}`;
    try {
      await inTransaction(client, async () => {
        if (row.needed) await client.query(row.statements.join(';\n'));
        await client.query(
          `delete from thaw.snapshot_foreign_keys
           where restore_id = $1 and table_oid = $2 and constraint_name = $3`,
          [row.restore_id, row.table_oid, row.constraint_name],
        );
      });
      if (row.needed) putBack.push(key);
    } catch (error) {
      const failure = databaseError(error, { object: key });
      if (failure.retryable) throw failure;
      missing.push({ key, message: failure.message, statements: row.statements });
    }
  }
  return { putBack, missing };
}
