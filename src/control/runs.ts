import type { RestoreState } from '../contract/progress.ts';
import { isEnded } from '../contract/progress.ts';
import type { RunRequest, RunSourceType } from '../contract/run-request.ts';
import { type RunStatus, runStatus } from '../contract/run-status.ts';
import type { ControlClient } from './control-database.ts';
import { type Listing, type ListQuery, listPage, type Page } from './list.ts';

/** A run as it is kept; times as `Date`. */
export interface StoredRun {
  readonly id: string;
  readonly tenant: string;
  /** The saved restore; null for one that was asked for once. */
  readonly restoreId: string | null;
  readonly restoreName: string | null;
  readonly sourceType: RunSourceType;
  readonly sourceFilename: string | null;
  readonly status: RunStatus;
  readonly state: RestoreState;
  readonly progress: number;
  readonly progressDetail: Readonly<Record<string, unknown>>;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly counts: RunCounts;
  readonly error: string | null;
  readonly errorDetail: string | null;
  /** How it ended, in the words of `GET /api/runs/{runId}`; null where nobody wrote it. */
  readonly detail: Readonly<Record<string, unknown>> | null;
  readonly configSnapshot: Readonly<Record<string, unknown>>;
  readonly request: RunRequest;
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** What a run has done, in the words of the API document. */
export interface RunCounts {
  readonly recordsImported: number;
  readonly recordsUpdated: number;
  readonly recordsSkipped: number;
  readonly recordsDeleted: number;
  readonly recordsFailed: number;
  readonly modelsCreated: number;
  readonly fieldsCreated: number;
}

/** A run that is to begin. */
export interface NewRun {
  readonly id: string;
  readonly tenant: string;
  readonly restoreId: string | null;
  readonly restoreName: string | null;
  readonly sourceFilename: string | null;
  /** What the settings were when it began. */
  readonly configSnapshot: Readonly<Record<string, unknown>>;
  readonly request: RunRequest;
  readonly createdBy: string;
}

/** How far a run is; what is absent stays as it was. */
export interface RunChange {
  readonly state: RestoreState;
  readonly progress?: number;
  readonly progressDetail?: Readonly<Record<string, unknown>>;
  readonly counts?: Partial<RunCounts>;
  readonly error?: string | null;
  readonly errorDetail?: string | null;
  /** @default now, once it is not queued any more */
  readonly startedAt?: Date | null;
  /** Of one that has ended. @default now */
  readonly endedAt?: Date | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * Writes a run as `pending`, and counts it with its saved restore. Call it in a transaction.
 *
 * @returns whether it was written: not where the id is taken, nor where the saved restore has an active run,
 * however many ask at once
 */
export async function insertRun(client: ControlClient, run: NewRun): Promise<boolean> {
  const { rowCount } = await client.query(
    `insert into thaw_api.restore_runs
       (id, tenant, restore_id, restore_name, source_type, source_filename, status, state, config_snapshot, request, created_by)
     values ($1, $2, $3, $4, $5, $6, 'pending', 'queued', $7, $8, $9)
     on conflict do nothing`,
    [
      run.id,
      run.tenant,
      run.restoreId,
      run.restoreName,
      run.request.sourceType,
      run.sourceFilename,
      run.configSnapshot,
      run.request,
      run.createdBy,
    ],
  );
  if (rowCount === 0) return false;
  await client.query(
    'update thaw_api.restores set total_runs = total_runs + 1, last_run_id = $2, last_run_at = now() where id = $1',
    [run.restoreId, run.id],
  );
  return true;
}

/**
 * Writes that Temporal has a run, which lets other processes know that it was looked at. What a worker has written
 * of it meanwhile stays.
 */
export async function touchRun(client: ControlClient, id: string): Promise<void> {
  await client.query(
    `update thaw_api.restore_runs set
       status = case status when 'pending' then 'queued' else status end,
       updated_at = now()
     where id = $1`,
    [id],
  );
}

/**
 * Writes how far a run is. One that has ended is not changed any more, and progress never goes back, so that
 * what comes late, or again, does no harm. Call it in a transaction where it may end the run.
 *
 * @returns whether it was written
 */
export async function updateRun(client: ControlClient, id: string, change: RunChange): Promise<boolean> {
  const { state, progress, progressDetail, counts = {}, error, errorDetail, detail } = change;
  if (isEnded(state)) await lockRestoreOf(client, id);
  const { rowCount } = await client.query(
    `update thaw_api.restore_runs set
       state = $2,
       status = $3,
       progress = greatest(progress, coalesce($4, progress)),
       progress_detail = coalesce($5, progress_detail),
       records_imported = coalesce($6, records_imported),
       records_updated = coalesce($7, records_updated),
       records_skipped = coalesce($8, records_skipped),
       records_deleted = coalesce($9, records_deleted),
       records_failed = coalesce($10, records_failed),
       models_created = coalesce($11, models_created),
       fields_created = coalesce($12, fields_created),
       error = coalesce($13, error),
       error_detail = coalesce($14, error_detail),
       started_at = coalesce(started_at, $16, case when $2 <> 'queued' then now() end),
       completed_at = case when $15 then coalesce($17, now()) end,
       detail = coalesce($18, detail),
       updated_at = now()
     where id = $1 and completed_at is null`,
    [
      id,
      state,
      runStatus(state),
      progress ?? null,
      progressDetail ?? null,
      counts.recordsImported ?? null,
      counts.recordsUpdated ?? null,
      counts.recordsSkipped ?? null,
      counts.recordsDeleted ?? null,
      counts.recordsFailed ?? null,
      counts.modelsCreated ?? null,
      counts.fieldsCreated ?? null,
      error ?? null,
      errorDetail ?? null,
      isEnded(state),
      change.startedAt ?? null,
      change.endedAt ?? null,
      detail ?? null,
    ],
  );
  const written = (rowCount ?? 0) > 0;
  if (written && isEnded(state)) await countEnd(client, id, state);
  return written;
}

/** A run; null where the tenant has none of that id. A tenant of null sees those of all. */
export async function readRun(
  client: ControlClient,
  id: string,
  tenant: string | null,
): Promise<StoredRun | null> {
  const { rows } = await client.query<RunRow>(
    'select * from thaw_api.restore_runs where id = $1 and ($2::text is null or tenant = $2)',
    [id, tenant],
  );
  return rows[0] === undefined ? null : storedRun(rows[0]);
}

/** The active run of a saved restore; null where there is none. */
export async function readActiveRun(client: ControlClient, restoreId: string): Promise<StoredRun | null> {
  const { rows } = await client.query<RunRow>(
    `select * from thaw_api.restore_runs
     where restore_id = $1 and status in ('pending', 'queued', 'running')`,
    [restoreId],
  );
  return rows[0] === undefined ? null : storedRun(rows[0]);
}

/**
 * The active run that takes another one back; null where there is none. Until the transaction ends nobody else learns
 * of that one.
 */
export async function readActiveUndo(client: ControlClient, undone: string): Promise<StoredRun | null> {
  await client.query('select from thaw_api.restore_runs where id = $1 for update', [undone]);
  const { rows } = await client.query<RunRow>(
    `select * from thaw_api.restore_runs
     where config_snapshot ->> 'undoes' = $1 and status in ('pending', 'queued', 'running')`,
    [undone],
  );
  return rows[0] === undefined ? null : storedRun(rows[0]);
}

/**
 * Runs that have not ended and that nobody has looked after for some seconds, the longest untouched first. Whoever
 * is given one has them to himself for as long, so that several processes share the work, and one that cannot be
 * looked after does not keep others from it.
 */
export async function takeUntouchedRuns(
  client: ControlClient,
  seconds: number,
  limit: number,
): Promise<StoredRun[]> {
  const { rows } = await client.query<RunRow>(
    `update thaw_api.restore_runs set updated_at = now()
     where id in (
       select id from thaw_api.restore_runs
       where status in ('pending', 'queued', 'running') and updated_at <= now() - make_interval(secs => $1)
       order by updated_at limit $2
       for update skip locked)
     returning *`,
    [seconds, limit],
  );
  return rows.map(storedRun);
}

const runListing: Listing = {
  table: 'thaw_api.restore_runs',
  fields: {
    id: 'text',
    restore_id: 'id',
    restore_name: 'text',
    source_type: 'text',
    source_filename: 'text',
    status: 'text',
    state: 'text',
    progress: 'number',
    started_at: 'time',
    completed_at: 'time',
    records_imported: 'number',
    records_updated: 'number',
    records_skipped: 'number',
    records_deleted: 'number',
    records_failed: 'number',
    models_created: 'number',
    fields_created: 'number',
    error: 'text',
    error_detail: 'text',
    created_by: 'text',
    created_at: 'time',
    updated_at: 'time',
  },
  condition: 'true',
  order: [{ field: 'created_at', direction: 'desc' }],
};

/** Lists the runs of a tenant; null: of all. @throws ThawError `InputInvalid` for a query that makes no sense */
export async function listRuns(
  client: ControlClient,
  query: ListQuery,
  tenant: string | null,
): Promise<Page<StoredRun>> {
  const { rows, more } = await listPage<RunRow>(client, runListing, query, tenant);
  return { rows: rows.map(storedRun), more };
}

/**
 * Who begins a run has the saved restore locked, and waits for the end of the one before: were that to wait for the
 * saved restore only after it has written the run, each would wait for the other.
 */
async function lockRestoreOf(client: ControlClient, id: string): Promise<void> {
  await client.query(
    `select from thaw_api.restores
     where id = (select restore_id from thaw_api.restore_runs where id = $1) for update`,
    [id],
  );
}

/** The totals of the saved restore that a run belongs to. */
async function countEnd(client: ControlClient, id: string, state: RestoreState): Promise<void> {
  await client.query(
    `update thaw_api.restores set
       successful_runs = successful_runs + $2,
       failed_runs = failed_runs + $3
     where id = (select restore_id from thaw_api.restore_runs where id = $1)`,
    [id, state === 'completed' ? 1 : 0, runStatus(state) === 'failed' ? 1 : 0],
  );
}

interface RunRow {
  readonly id: string;
  readonly tenant: string;
  readonly restore_id: string | null;
  readonly restore_name: string | null;
  readonly source_type: RunSourceType;
  readonly source_filename: string | null;
  readonly status: RunStatus;
  readonly state: RestoreState;
  readonly progress: number;
  readonly progress_detail: Record<string, unknown>;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly records_imported: number;
  readonly records_updated: number;
  readonly records_skipped: number;
  readonly records_deleted: number;
  readonly records_failed: number;
  readonly models_created: number;
  readonly fields_created: number;
  readonly error: string | null;
  readonly error_detail: string | null;
  readonly detail: Record<string, unknown> | null;
  readonly config_snapshot: Record<string, unknown>;
  readonly request: RunRequest;
  readonly created_by: string;
  readonly created_at: Date;
}

function storedRun(row: RunRow): StoredRun {
  return {
    id: row.id,
    tenant: row.tenant,
    restoreId: row.restore_id,
    restoreName: row.restore_name,
    sourceType: row.source_type,
    sourceFilename: row.source_filename,
    status: row.status,
    state: row.state,
    progress: row.progress,
    progressDetail: row.progress_detail,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    counts: {
      recordsImported: row.records_imported,
      recordsUpdated: row.records_updated,
      recordsSkipped: row.records_skipped,
      recordsDeleted: row.records_deleted,
      recordsFailed: row.records_failed,
      modelsCreated: row.models_created,
      fieldsCreated: row.fields_created,
    },
    error: row.error,
    errorDetail: row.error_detail,
    detail: row.detail,
    configSnapshot: row.config_snapshot,
    request: row.request,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}
