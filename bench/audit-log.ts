import { hash } from 'node:crypto';
import type { ArchivedRow, ArchivedValue } from '../test/harness/archive-writer.ts';

/** The database as archived, and the target's. */
export const database = 'scale_a_db';
/** The table of all sets, in schema public. */
export const table = 'audit_logs';

/** Makes the target, empty. */
export const createTable = `
  create table public.audit_logs (
    id         bigserial primary key,
    user_id    integer not null,
    action     text not null,
    resource   varchar(64),
    metadata   jsonb,
    created_at timestamptz not null default now()
  )`;

/**
 * Fills the table inside PostgreSQL with rows 1 to $1: what every contestant must end with, made without
 * any of the code that makes the archives and the CSV.
 */
export const fillTable = `
  insert into public.audit_logs (id, user_id, action, resource, metadata, created_at)
  select g, ((g::bigint * 7919) % 100000)::int,
    (array['login', 'logout', 'update', 'delete', 'export', 'view'])[1 + g % 6],
    case when g % 9 = 0 then null else '/api/v1/items/' || (g % 5000) end,
    case when g % 11 = 0 then null else jsonb_build_object(
      'ip', '10.' || g % 256 || '.' || (g / 256) % 256 || '.' || (g * 3) % 256,
      'req', substr(md5(g::text), 1, 12),
      'ms', (g * 37) % 9000) end,
    timestamptz '2025-01-01 00:00:07+00' + (g - 1) * interval '14.4 seconds'
  from generate_series(1, $1::int) g`;

/** Count and checksum of the table: equal for equal rows only. */
export const checksumTable = `
  select count(*)::int as rows, md5(string_agg(md5(t::text), '' order by id)) as md5 from public.audit_logs t`;

/** A row of the table. */
export interface AuditRow {
  readonly id: number;
  readonly user_id: number;
  readonly action: string;
  readonly resource: string | null;
  /** jsonb as PostgreSQL prints it. */
  readonly metadata: string | null;
  /** Milliseconds since 1970. */
  readonly created_at: number;
}

const actions = ['login', 'logout', 'update', 'delete', 'export', 'view'] as const;
const firstTime = Date.UTC(2025, 0, 1, 0, 0, 7);

/** Row number `id`, from 1. */
export function auditRow(id: number): AuditRow {
  const ip = `10.${id % 256}.${Math.floor(id / 256) % 256}.${(id * 3) % 256}`;
  const request = hash('md5', String(id)).slice(0, 12);
  return {
    id,
    user_id: (id * 7919) % 100_000,
    action: actions[id % 6] ?? '',
    resource: id % 9 === 0 ? null : `/api/v1/items/${id % 5000}`,
    metadata: id % 11 === 0 ? null : `{"ip": "${ip}", "ms": ${(id * 37) % 9000}, "req": "${request}"}`,
    created_at: firstTime + (id - 1) * 14_400,
  };
}

/** A row as the archiver writes it. */
export function archivedRow(row: AuditRow): ArchivedRow {
  const text = new Date(row.created_at).toISOString();
  const fraction = row.created_at % 1000 === 0 ? '' : `${text.slice(19, 23)}000`;
  return { ...row, created_at: `${text.slice(0, 19)}${fraction}+00:00` };
}

/** A row as `copy … to … csv` writes it, with its newline. */
export function csvLine(row: AuditRow): string {
  const text = new Date(row.created_at).toISOString();
  const fraction = row.created_at % 1000 === 0 ? '' : text.slice(19, 23).replace(/0+$/, '');
  const metadata = row.metadata === null ? '' : `"${row.metadata.replaceAll('"', '""')}"`;
  const time = `${text.slice(0, 10)} ${text.slice(11, 19)}${fraction}+00`;
  return `${row.id},${row.user_id},${row.action},${row.resource ?? ''},${metadata},${time}\n`;
}

/** `table_schema` as the archiver writes it with the first archive of a run. */
export const tableSchema: ArchivedValue = {
  table_name: table,
  schema_name: 'public',
  columns: [
    column(1, 'id', 'bigint', 'int8', { precision: 64, fallback: "nextval('audit_logs_id_seq'::regclass)" }),
    column(2, 'user_id', 'integer', 'int4', { precision: 32 }),
    column(3, 'action', 'text', 'text', {}),
    column(4, 'resource', 'character varying', 'varchar', { length: 64, nullable: true }),
    column(5, 'metadata', 'jsonb', 'jsonb', { nullable: true }),
    column(6, 'created_at', 'timestamp with time zone', 'timestamptz', { fallback: 'now()' }),
  ],
  primary_key: { constraint_name: 'audit_logs_pkey', columns: ['id'] },
  foreign_keys: [],
  indexes: [],
  check_constraints: [],
  unique_constraints: [],
};

interface ColumnTraits {
  readonly length?: number;
  readonly precision?: number;
  readonly nullable?: boolean;
  readonly fallback?: string;
}

function column(position: number, name: string, type: string, udt: string, traits: ColumnTraits) {
  return {
    name,
    data_type: type,
    udt_name: udt,
    character_maximum_length: traits.length ?? null,
    numeric_precision: traits.precision ?? null,
    numeric_scale: traits.precision === undefined ? null : 0,
    is_nullable: traits.nullable ?? false,
    default: traits.fallback ?? null,
    ordinal_position: position,
  };
}
