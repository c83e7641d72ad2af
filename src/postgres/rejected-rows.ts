import type pg from 'pg';
import type { LedgerScope } from './ledger.ts';

/** A row that was left out of a restored archive. */
export interface RejectedRow {
  /** 1-based line of the archive. */
  readonly line: number;
  /** The column to blame, where one is. */
  readonly column: string | null;
  /** Null where the value was refused before PostgreSQL saw it. */
  readonly sqlstate: string | null;
  /** Why; without any value of the row. */
  readonly message: string;
  /** The line itself, which is nowhere but here. */
  readonly content: string;
}

/** Keeps rows that were left out of an archive, in the transaction that restores the others. */
export async function writeRejectedRows(
  client: pg.Client,
  scope: Pick<LedgerScope, 'restoreId' | 'target'>,
  key: string,
  rows: readonly RejectedRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await client.query(
    `insert into thaw.rejected_rows (restore_id, target_oid, key, line, column_name, sqlstate, message, content)
     select $1, $2, $3, line, column_name, sqlstate, message, content
     from unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
       as rejected (line, column_name, sqlstate, message, content)
     order by line`,
    [
      scope.restoreId,
      scope.target.oid,
      key,
      rows.map(({ line }) => line),
      rows.map(({ column }) => column),
      rows.map(({ sqlstate }) => sqlstate),
      rows.map(({ message }) => message),
      rows.map(({ content }) => content),
    ],
  );
}
