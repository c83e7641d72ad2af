import type pg from 'pg';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { openSession } from './session.ts';

/** A tenant, another one, and an id that nothing has. */
export const mine = '00000000-0000-4000-8000-000000000001';
export const other = '00000000-0000-4000-8000-000000000002';
export const nobody = '00000000-0000-4000-8000-00000000000f';

type Row = Record<string, unknown>;

/** A database with the functions of snapshots in it. */
export interface PitrSite {
  readonly client: pg.Client;
  /** The one value of an expression. */
  value<T>(expression: string, values?: readonly unknown[]): Promise<T>;
  rows(sql: string): Promise<Row[]>;
  /** Writes a snapshot of the tenant `mine` down as somebody else's tool would; its id. */
  snapshot(data: Record<string, readonly Row[]>, more?: Row): Promise<string>;
  /** `execute_pitr_rollback` by the tenant `mine`. */
  rollback(snapshot: string): Promise<Row>;
  /** Foreign keys as they are declared, with whether they hold and what is said of them. */
  foreignKeys(): Promise<Row[]>;
  /** A further session. */
  open(): Promise<pg.Client>;
  close(): Promise<void>;
}

export async function openPitrSite(name: string): Promise<PitrSite> {
  const session = await openSession(name);
  const { client } = session;
  await client.query(pitrSql('public'));
  const rows = async (sql: string) => (await client.query<Row>(sql)).rows;
  const value = async <T>(expression: string, values: readonly unknown[] = []) => {
    const result = await client.query<{ value: T }>(`select ${expression} as value`, [...values]);
    return result.rows[0]?.value as T;
  };
  return {
    client,
    rows,
    value,
    snapshot: async (data, more = {}) => {
      const record = {
        tenant_id: mine,
        snapshot_name: 'before the import',
        snapshot_type: 'manual',
        created_by: 'ann',
        snapshot_data: JSON.stringify(data),
        affected_tables: Object.keys(data),
        ...more,
      };
      const columns = Object.keys(record);
      const { rows: made } = await client.query<{ id: string }>(
        `insert into backup_pitr_snapshots (${columns}) values (${columns.map((_, at) => `$${at + 1}`)}) returning id`,
        Object.values(record),
      );
      return made[0]?.id ?? '';
    },
    rollback: (snapshot) =>
      value<Row>(`execute_pitr_rollback($1, $2, 'ann', 'bad import')`, [snapshot, mine]),
    foreignKeys: () =>
      rows(
        `select conrelid::regclass::text as of, conname as name, pg_get_constraintdef(oid) as definition,
           convalidated as valid, obj_description(oid, 'pg_constraint') as comment
         from pg_constraint where contype = 'f' and conrelid::regclass::text not like 'backup%'
         order by 1, 2`,
      ),
    open: () => session.open(),
    close: session.close,
  };
}
