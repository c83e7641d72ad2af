import type pg from 'pg';
import type { AuditEvent } from '../contract/audit-event.ts';
import { ensureArchiverTable } from './archiver-table.ts';
import { databaseError } from './sqlstate.ts';
import { inTransaction } from './transaction.ts';

const object = 'archiver_audit_log';

/** The archiver's table: unqualified, so in the first schema of the search path, as its own tool makes it. */
const createTable = `
  create table if not exists archiver_audit_log (
    id bigserial primary key,
    timestamp timestamptz not null,
    event_type text not null,
    database_name text not null,
    table_name text not null,
    schema_name text not null,
    record_count bigint,
    s3_path text,
    status text not null,
    duration_seconds double precision,
    operator text,
    error_message text,
    metadata jsonb,
    created_at timestamptz not null default now()
  )`;

/** Writes an event of the audit trail, once however often it is tried. The table is made on first use. */
export async function writeAuditRow(client: pg.Client, event: AuditEvent): Promise<void> {
  try {
    await ensureArchiverTable(client, object, createTable);
    await inTransaction(client, async () => {
      // An attempt that was given up may still be about to commit the same event.
      await client.query('lock table archiver_audit_log in share row exclusive mode');
      await insert(client, event);
    });
  } catch (error) {
    throw databaseError(error, { object });
  }
}

async function insert(client: pg.Client, event: AuditEvent): Promise<void> {
  await client.query(
    `insert into archiver_audit_log
       (timestamp, event_type, database_name, table_name, schema_name, record_count, s3_path, status,
        duration_seconds, operator, error_message, metadata)
     select $1::timestamptz, $2::text, $3::text, $4::text, $5, $6, $7, $8, $9, $10, $11, $12::jsonb
     where not exists (
       select from archiver_audit_log
       where timestamp = $1::timestamptz and event_type = $2::text and database_name = $3::text
         and table_name = $4::text and metadata = $12::jsonb)`,
    [
      event.timestamp,
      event.event_type,
      event.database,
      event.table,
      event.schema,
      event.record_count,
      event.s3_path,
      event.status,
      event.duration_seconds,
      event.operator,
      event.error_message,
      JSON.stringify(event.metadata),
    ],
  );
}
