import { VersionedSchema } from '../postgres/versioned-schema.ts';

/** Key of the advisory lock under which the schema is made: "thwa" in ASCII. */
const schemaLock = 0x74687761;

const version1 = `
create table thaw_api.schema_version (
  version integer primary key,
  fingerprint text,
  made_at timestamptz not null default now()
);

-- Saved restores, as /api/data/restores shows them. A deleted one keeps its runs and logs.
create table thaw_api.restores (
  id uuid primary key default gen_random_uuid(),
  tenant text not null,
  name text not null,
  description text,
  source_type text not null,
  source_ref text,
  conflict_strategy text not null,
  include text[] not null,
  models text[],
  create_models boolean not null,
  enabled boolean not null,
  -- What only its kind of source knows: the settings of a restore of archives, the database of a bundle.
  options jsonb not null default '{}',
  -- The schema of whoever saved it, for bundles.
  namespace text not null,
  last_run_id text,
  last_run_at timestamptz,
  total_runs integer not null default 0,
  successful_runs integer not null default 0,
  failed_runs integer not null default 0,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  trashed_at timestamptz
);

create index restores_tenant on thaw_api.restores (tenant, created_at);

-- Everything that was run, of whatever source; the id is that of the restore in Temporal.
create table thaw_api.restore_runs (
  id text primary key,
  tenant text not null,
  restore_id uuid references thaw_api.restores (id),
  restore_name text,
  source_type text not null,
  source_filename text,
  status text not null check (status in ('pending', 'queued', 'running', 'completed', 'failed', 'cancelled')),
  -- Thaw's own, finer state
  state text not null,
  progress integer not null default 0,
  progress_detail jsonb not null default '{}',
  started_at timestamptz,
  completed_at timestamptz,
  records_imported bigint not null default 0,
  records_updated bigint not null default 0,
  records_skipped bigint not null default 0,
  records_deleted bigint not null default 0,
  records_failed bigint not null default 0,
  models_created integer not null default 0,
  fields_created integer not null default 0,
  error text,
  error_detail text,
  -- How it ended, in the words of GET /api/runs/{runId}; null while it goes on.
  detail jsonb,
  config_snapshot jsonb not null,
  -- What the workflow was or will be started with: a start that was lost is made up for.
  request jsonb not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index restore_runs_ended on thaw_api.restore_runs (completed_at);
create index restore_runs_tenant on thaw_api.restore_runs (tenant, created_at);
create index restore_runs_active on thaw_api.restore_runs (created_at)
  where status in ('pending', 'queued', 'running');

-- One active run of a restore, also when two are asked for in the same millisecond.
create unique index restore_runs_one_active on thaw_api.restore_runs (restore_id)
  where status in ('pending', 'queued', 'running');

-- What happened in a run. A line that an activity writes again on a retry has the same key.
create table thaw_api.restore_logs (
  id bigint generated always as identity primary key,
  run_id text not null references thaw_api.restore_runs (id),
  tenant text not null,
  key text not null,
  level text not null check (level in ('info', 'warn', 'error')),
  phase text check (phase in ('upload', 'validation', 'describe_import', 'data_import')),
  model_name text,
  record_id text,
  message text not null,
  detail jsonb,
  created_at timestamptz not null default clock_timestamp(),
  unique (run_id, key)
);

create index restore_logs_run on thaw_api.restore_logs (run_id, id);

-- Bundles that were sent; their bytes lie in the store.
create table thaw_api.uploads (
  id text primary key,
  tenant text not null,
  filename text,
  bytes bigint not null,
  sha256 text not null,
  key text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  removed_at timestamptz
);

create table thaw_api.extracts (
  id uuid primary key default gen_random_uuid(),
  tenant text not null,
  name text not null,
  description text,
  include text[] not null,
  models text[],
  enabled boolean not null,
  options jsonb not null default '{}',
  last_run_id text,
  last_run_at timestamptz,
  total_runs integer not null default 0,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  trashed_at timestamptz
);

create table thaw_api.extract_runs (
  id text primary key,
  tenant text not null,
  extract_id uuid not null references thaw_api.extracts (id),
  extract_name text not null,
  status text not null check (status in ('pending', 'queued', 'running', 'completed', 'failed', 'cancelled')),
  progress integer not null default 0,
  progress_detail jsonb not null default '{}',
  started_at timestamptz,
  completed_at timestamptz,
  records_exported bigint not null default 0,
  models_exported integer not null default 0,
  -- The bundle in the store.
  key text,
  filename text,
  bytes bigint,
  sha256 text,
  expires_at timestamptz,
  removed_at timestamptz,
  download_count integer not null default 0,
  error text,
  error_detail text,
  request jsonb not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index extract_runs_one_active on thaw_api.extract_runs (extract_id)
  where status in ('pending', 'queued', 'running');

-- What manifest.requires of later bundles is compared with.
create table thaw_api.installed_bundles (
  tenant text not null,
  namespace text not null,
  name text not null,
  version text not null,
  run_id text not null,
  installed_at timestamptz not null default now(),
  primary key (tenant, namespace, name, run_id)
);

-- Until when the starts of a tenant are counted against those that it has in a minute.
create table thaw_api.start_limits (
  tenant text primary key,
  back_at timestamptz not null
);

insert into thaw_api.schema_version (version) values (1);
`;

/** The schema of the control database: saved restores, runs, logs, uploads, extracts. */
export const controlSchema = new VersionedSchema({
  name: 'thaw_api',
  lock: schemaLock,
  versions: [{ version: 1, sql: version1.trim() }],
  purpose: 'The HTTP API of Thaw keeps saved restores, runs and logs here',
  printedBy: '`thaw schema --sql --api`',
});
