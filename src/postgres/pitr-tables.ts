/**
 * The tables that snapshots are kept in for those who work from SQL, where they are absent. Those of an older
 * installation keep their rows, and are given the columns that they lack.
 *
 * @param s the schema, quoted
 */
export function pitrTables(s: string): string {
  return `
create table if not exists ${s}.backup_pitr_snapshots (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  restore_log_id uuid,
  snapshot_name text not null,
  snapshot_type text not null default 'pre_restore'
    constraint valid_snapshot_type check (snapshot_type in ('pre_restore', 'manual', 'automated')),
  created_at timestamptz not null default now(),
  created_by text not null,
  expires_at timestamptz,
  -- {"table": [{"column": value, …}, …], …}, values as to_jsonb gives them
  snapshot_data jsonb not null,
  affected_tables text[] not null,
  total_rows_count bigint,
  snapshot_size_bytes bigint,
  is_rolled_back boolean default false,
  rolled_back_at timestamptz,
  rolled_back_by text,
  rollback_notes text,
  status text not null default 'active'
    constraint valid_status check (status in ('active', 'expired', 'rolled_back', 'archived')),
  compression_used boolean default false,
  storage_path text,
  checksum text,
  -- "whole_tables": tables without a column tenant_id that belong to this tenant alone
  metadata jsonb default '{}'
);

create index if not exists idx_pitr_snapshots_tenant_created
  on ${s}.backup_pitr_snapshots (tenant_id, created_at desc);

create table if not exists ${s}.backup_pitr_rollback_history (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  snapshot_id uuid not null references ${s}.backup_pitr_snapshots (id) on delete cascade,
  restore_log_id uuid,
  rollback_started_at timestamptz not null default now(),
  rollback_completed_at timestamptz,
  duration_seconds integer,
  status text not null default 'in_progress'
    constraint valid_rollback_status check (status in ('in_progress', 'completed', 'failed', 'partial')),
  rows_restored bigint,
  tables_affected text[],
  errors_encountered integer default 0,
  error_details jsonb,
  initiated_by text not null,
  reason text,
  notes text,
  metadata jsonb default '{}'
);

alter table ${s}.backup_pitr_rollback_history
  add column if not exists restoration_steps jsonb default '[]',
  add column if not exists current_step text,
  add column if not exists tables_restored text[] default '{}',
  add column if not exists fk_constraints_handled jsonb default '{}',
  add column if not exists transaction_ids text[] default '{}';

create index if not exists idx_rollback_history_snapshot_detailed
  on ${s}.backup_pitr_rollback_history (snapshot_id, status, rollback_started_at desc);

create table if not exists ${s}.backup_fk_constraints_cache (
  id uuid primary key default gen_random_uuid(),
  table_schema text not null,
  table_name text not null,
  constraint_name text not null,
  constraint_definition text not null,
  is_disabled boolean default false,
  disabled_at timestamptz,
  re_enabled_at timestamptz,
  rollback_id uuid references ${s}.backup_pitr_rollback_history (id) on delete cascade,
  tenant_id uuid not null,
  created_at timestamptz default now(),
  unique (table_schema, table_name, constraint_name, rollback_id)
);

alter table ${s}.backup_fk_constraints_cache add column if not exists constraint_comment text;

create index if not exists idx_fk_constraints_cache_lookup
  on ${s}.backup_fk_constraints_cache (tenant_id, rollback_id, is_disabled);

create table if not exists ${s}.backup_transaction_logs (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  table_name text not null,
  operation text not null check (operation in ('INSERT', 'UPDATE', 'DELETE')),
  record_id text,
  old_data jsonb,
  new_data jsonb,
  changed_by text,
  changed_at timestamptz not null default now(),
  backup_job_id uuid,
  metadata jsonb default '{}'
);

-- Tells which of two changes of one moment came first.
alter table ${s}.backup_transaction_logs
  add column if not exists log_sequence bigint generated always as identity;

create index if not exists idx_transaction_logs_replay
  on ${s}.backup_transaction_logs (tenant_id, table_name, changed_at, log_sequence);
`.trim();
}
