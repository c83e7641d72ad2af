import type pg from 'pg';
import { type SchemaVersion, VersionedSchema } from './versioned-schema.ts';

/** Key of the advisory lock under which the schema is made: "thaw" in ASCII. */
const schemaLock = 0x74686177;

const versions: readonly SchemaVersion[] = [
  {
    version: 1,
    sql: `
create table thaw.schema_version (
  version integer primary key,
  fingerprint text,
  made_at timestamptz not null default now()
);

-- One row for each restore that wrote into this database.
create table thaw.restores (
  restore_id text primary key,
  fingerprint text,
  database text not null,
  request jsonb not null,
  state text not null,
  outcome jsonb,
  workflow_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);

-- Who holds a table, and whose turn it is to commit. A row is updated by every commit of its table:
-- room in the page keeps these updates off the index, early vacuums keep the page one page.
create table thaw.targets (
  target_oid oid primary key,
  schema_name text,
  table_name text,
  restore_id text not null,
  epoch bigint not null,
  next_ordinal bigint not null default 0,
  ordered boolean not null,
  holder_workflow text,
  released_at timestamptz,
  lease_until timestamptz not null,
  taken_at timestamptz not null default now()
) with (
  fillfactor = 20,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500
);

-- The ledger: which archive was restored into which table by which restore. Its rows commit together
-- with the rows of their archives.
create table thaw.archives (
  restore_id text not null,
  target_oid oid not null,
  store text not null,
  key text not null,
  etag text not null,
  bytes bigint,
  epoch bigint not null,
  ordinal bigint not null,
  -- undone: restored, and taken back since
  -- trusted: not restored by Thaw, but counted as such, since a watermark of the archiver's own tool says so
  state text not null check (state in ('claimed', 'restored', 'failed', 'foreign', 'trusted', 'undone')),
  rows bigint,
  inserted bigint,
  updated bigint,
  skipped bigint,
  rejected bigint,
  -- the schema that a foreign one was archived from: it lies in the same folder, and was left out
  foreign_schema text,
  -- columns whose values did not all come back as they were
  column_notes jsonb,
  error_code text,
  error_message text,
  error_hint text,
  error_stage text,
  -- failed by a foreign key of the table to itself: tried again once the others are in
  deferred boolean not null default false,
  -- some of its rows or columns only: no later restore takes it for restored
  partial boolean not null default false,
  what text,
  attempt integer,
  finished_at timestamptz,
  primary key (restore_id, target_oid, key)
);

-- Was this object, with this ETag, ever restored into this table?
create index archives_restored on thaw.archives (target_oid, key, etag)
  where state in ('restored', 'trusted') and not partial;

-- Do archives of other schemas lie in the folder of this table?
create index archives_foreign on thaw.archives (target_oid) where state = 'foreign';

-- Rows that PostgreSQL did not accept, where a restore allows some.
create table thaw.rejected_rows (
  id bigint generated always as identity primary key,
  restore_id text not null,
  target_oid oid not null,
  key text not null,
  line bigint,
  column_name text,
  sqlstate text,
  message text,
  -- the line itself; null once a retry has brought it into the table
  content text,
  restored_at timestamptz,
  created_at timestamptz not null default now()
);

create index rejected_rows_archive on thaw.rejected_rows (restore_id, target_oid, key);

-- Tables of restores that can be undone, and how far that has come.
create table thaw.undo_tables (
  restore_id text not null,
  target_oid oid not null,
  schema_name text not null,
  table_name text not null,
  -- by which rows are found again
  key_columns text[] not null,
  -- of the images, with their types
  columns text[] not null,
  deleted bigint not null default 0,
  brought_back bigint not null default 0,
  gone bigint not null default 0,
  -- the last time
  kept_at timestamptz not null default now(),
  undone_at timestamptz,
  primary key (restore_id, target_oid)
);

-- Rows that a restore has changed, until they are as they were before.
create table thaw.undo_rows (
  restore_id text not null,
  target_oid oid not null,
  key text[] not null,
  -- the row as it was; null: there was none
  before text[],
  -- SHA-256 of the row as the restore left it; null: it deleted the row
  after bytea,
  -- why an undo has left it: changed, deleted, referenced, orphaned, or an SQLSTATE
  left_why text,
  primary key (restore_id, target_oid, key),
  check (before is not null or after is not null)
);

-- Each undo of a restore: who asked for it, and what came of it.
create table thaw.undos (
  undo_id text primary key,
  restore_id text not null,
  asked_by text not null,
  reason text,
  state text not null,
  -- by table: rows deleted and brought back, those that were left with some of their keys, errors
  tables jsonb not null default '[]',
  -- of an import: models and fields that were taken away, and some of those that were left
  made jsonb,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);

create index undos_restore on thaw.undos (restore_id, started_at);

-- Indexes that were dropped for a restore, until they are built again.
create table thaw.dropped_indexes (
  target_oid oid not null,
  schema_name text not null,
  index_name text not null,
  definition text not null,
  comment text,
  tablespace text,
  restore_id text not null,
  dropped_at timestamptz not null default now(),
  rebuilt_at timestamptz,
  primary key (target_oid, schema_name, index_name)
);

-- Foreign keys that a restore of a snapshot takes off while it merges. It puts them back in the same transaction,
-- so that a crash does too; a record that is left is compared with the catalog.
create table thaw.snapshot_foreign_keys (
  restore_id text not null,
  table_oid oid not null,
  schema_name text not null,
  table_name text not null,
  constraint_name text not null,
  -- what puts it back, in order
  statements text[] not null,
  recorded_at timestamptz not null default now(),
  primary key (restore_id, table_oid, constraint_name)
);

-- One row for each restore of a snapshot into this database.
create table thaw.snapshot_restores (
  restore_id text primary key,
  source_kind text not null check (source_kind in ('stored', 'table', 'object')),
  -- the store, or the schema of the table of snapshots
  source_place text not null,
  -- the id of the snapshot, or the key of the object
  source_id text not null,
  -- the entity tag of the object: another one under its key was not restored
  source_version text,
  request jsonb not null,
  state text not null,
  outcome jsonb,
  -- taken before, so that the restore can be undone
  pre_snapshot_id text,
  -- Temporal cluster, namespace and id of the workflow
  workflow text,
  -- written in the transaction that brought the rows back; from then on the snapshot counts as rolled back
  merged_at timestamptz,
  merged jsonb,
  transaction_id text,
  -- tells the tables as the restore left them from any later content; null: nothing was kept to undo it by
  content_token text,
  -- what the restore did was taken back: the snapshot does not count as rolled back any more
  undone_at timestamptz,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz
);

create index snapshot_restores_source on thaw.snapshot_restores (source_kind, source_place, source_id)
  where merged_at is not null;

-- How restores of snapshots go and went, under the names of the source system's backup_pitr_rollback_history:
-- progress is written while the merge runs, and the end within the transaction that merges the rows.
create table thaw.snapshot_history (
  restore_id text primary key,
  -- the value that tells whose rows were restored; null: whole tables
  tenant_id text,
  -- of a stored snapshot or a row of backup_pitr_snapshots; the key of an object
  snapshot_id text not null,
  rollback_started_at timestamptz not null default clock_timestamp(),
  rollback_completed_at timestamptz,
  duration_seconds integer,
  -- partial: nothing writes it, as all tables are restored or none
  status text not null default 'in_progress' check (status in ('in_progress', 'completed', 'failed', 'partial')),
  -- inserted and updated
  rows_restored bigint,
  tables_affected text[],
  -- of attempts that were made again, too; the last one is told
  errors_encountered integer not null default 0,
  error_details jsonb,
  initiated_by text not null,
  reason text,
  notes text,
  -- source, strategy, tenant, and the changes of each table
  metadata jsonb not null default '{}',
  restoration_steps jsonb not null default '[]',
  current_step text,
  tables_restored text[] not null default '{}',
  fk_constraints_handled jsonb not null default '{}',
  transaction_ids text[] not null default '{}'
);

create index snapshot_history_tenant on thaw.snapshot_history (tenant_id, rollback_started_at);
create index snapshot_history_snapshot on thaw.snapshot_history (snapshot_id);

-- Tables that were made from their archived schemas, in the transaction that made them.
create table thaw.created_tables (
  target_oid oid primary key,
  restore_id text not null,
  -- the archive that held the schema
  key text not null,
  -- what of it the table does not have, and why
  left_out text[] not null,
  created_at timestamptz not null default now()
);

-- The columns that archives were written with, each time that they are others than before: the archiver
-- writes them down with the first batch of a run only, and they hold for those after it.
create table thaw.archived_schemas (
  restore_id text not null,
  target_oid oid not null,
  -- of the first archive
  key text not null,
  schema jsonb not null,
  primary key (restore_id, target_oid, key)
);

-- Which rows of the archiver's table restore_watermarks Thaw wrote, and for which target: one that its own tool
-- has changed since has another time.
create table thaw.watermarks (
  database_name text not null,
  table_name text not null,
  target text not null,
  updated_at timestamptz not null,
  primary key (database_name, table_name)
);

-- Models that imports of bundles made or gave fields to. Written with them, so that a later attempt of the same
-- restore does not take them for models that were there before.
create table thaw.bundle_models (
  restore_id text not null,
  schema_name text not null,
  model text not null,
  created boolean not null,
  fields text[] not null,
  -- the restore was to bring its records, too: should it have come to no end, a later one may
  with_data boolean not null,
  made_at timestamptz not null default now(),
  primary key (restore_id, schema_name, model)
);

-- Imports of bundles that can be undone.
create table thaw.undoable_imports (
  restore_id text primary key,
  database text not null,
  schema_name text not null,
  begun_at timestamptz not null default now()
);

-- What imports of bundles that can be undone have made besides records. Written with it, exact enough to tell whether
-- it is still so.
create table thaw.made_objects (
  restore_id text not null,
  -- the table; 0 for a schema
  target_oid oid not null,
  kind text not null check (kind in ('schema', 'table', 'column', 'index', 'constraint')),
  schema_name text not null,
  table_name text,
  name text not null,
  definition jsonb not null,
  -- what rows that were there got in a column, as text; known unless it was another value for each
  initial text,
  has_initial boolean not null default true,
  -- why an undo has left it
  left_why text,
  -- when an undo has taken it away
  taken_at timestamptz,
  made_at timestamptz not null default now(),
  primary key (restore_id, target_oid, kind, name)
);

-- Which file of a bundle was restored into which model. Its rows commit together with the records.
create table thaw.bundle_files (
  restore_id text not null,
  schema_name text not null,
  model text not null,
  target_oid oid not null,
  -- skipped: its strategy leaves out what is of models that were there; same: an earlier restore brought the file
  -- undone: restored, and taken back since
  state text not null check (state in ('claimed', 'restored', 'skipped', 'same', 'undone')),
  sha256 text,
  inserted bigint not null default 0,
  updated bigint not null default 0,
  skipped bigint not null default 0,
  deleted bigint not null default 0,
  finished_at timestamptz,
  primary key (restore_id, schema_name, model)
);

-- Was this file ever restored into this model?
create index bundle_files_restored on thaw.bundle_files (target_oid, sha256) where state = 'restored';

-- What was found in a dump that was read to its end, by the object that it is.
create table thaw.dump_proofs (
  -- the store: s3://bucket or file:///folder
  place text not null,
  key text not null,
  etag text not null,
  -- code of the error of one that is not good, of which nothing else is kept; null: it is whole
  fault text,
  proof jsonb,
  -- rows of each table: [{"table", "rows"}], rows null where they could not be counted
  tables jsonb,
  -- the list of its contents
  toc jsonb,
  proved_at timestamptz not null default now(),
  primary key (place, key, etag),
  check ((fault is null) = (proof is not null and tables is not null))
);

-- One row for each restore of a dump into a database of this server.
create table thaw.dump_restores (
  restore_id text primary key,
  service text not null,
  database text not null,
  mode text not null,
  -- the dump that was restored, or was to be; null until it is chosen
  key text,
  etag text,
  request jsonb not null,
  state text not null,
  -- the live database before anything was touched
  before jsonb,
  -- rows of each table before, in the dump and after
  tables jsonb,
  outcome jsonb,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz
);

-- Rehearsals of restores.
create table thaw.drills (
  drill_id text primary key,
  -- the service, or database and table, that was restored into a scratch database
  subject text not null,
  outcome text not null check (outcome in ('verified', 'failed', 'inconclusive')),
  report jsonb not null,
  started_at timestamptz not null,
  ended_at timestamptz not null
);

create index drills_subject on thaw.drills (subject, started_at);

insert into thaw.schema_version (version) values (1);
`.trim(),
  },
];

const thawSchema = new VersionedSchema({
  name: 'thaw',
  lock: schemaLock,
  versions,
  purpose: 'Thaw keeps its ledger here',
  printedBy: '`thaw schema --sql`',
});

/** The version that this code reads and writes. */
export const schemaVersion = thawSchema.version;

/**
 * Makes the schema `thaw`, or brings it up to date, under an advisory lock. One query when it is there.
 * Call it outside a transaction.
 *
 * @throws ThawError `ConfigInvalid` when a newer Thaw made it; `PermissionDenied` when it is not there and
 * may not be made, or may not be used, with the statements for an administrator as hint.
 */
export async function ensureSchema(client: pg.Client): Promise<void> {
  await thawSchema.ensure(client);
}

/** Everything that an administrator runs beforehand, where the user of Thaw may not create a schema. */
export function schemaSql(): string {
  return thawSchema.sql();
}
