import type { ExtractRequest, ExtractStanding } from '../contract/extract-request.ts';
import type { RunStatus } from '../contract/run-status.ts';
import type { ControlClient } from './control-database.ts';
import type { Listing } from './list.ts';

/** A run of an extract as it lies in `thaw_api.extract_runs`. */
export interface ExtractRunRow {
  readonly id: string;
  readonly tenant: string;
  readonly extract_id: string;
  readonly extract_name: string;
  readonly status: RunStatus;
  readonly progress: number;
  readonly progress_detail: Readonly<Record<string, unknown>>;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly records_exported: number;
  readonly models_exported: number;
  /** Of the bundle in the store. */
  readonly key: string | null;
  readonly filename: string | null;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly expires_at: Date | null;
  readonly removed_at: Date | null;
  readonly download_count: number;
  readonly error: string | null;
  readonly error_detail: string | null;
  readonly request: ExtractRequest;
  readonly created_by: string;
  readonly created_at: Date;
}

/** How runs of extracts are listed. */
export const extractRunListing: Listing = {
  table: 'thaw_api.extract_runs',
  fields: {
    id: 'text',
    extract_id: 'id',
    extract_name: 'text',
    status: 'text',
    progress: 'number',
    started_at: 'time',
    completed_at: 'time',
    records_exported: 'number',
    models_exported: 'number',
    filename: 'text',
    expires_at: 'time',
    download_count: 'number',
    error: 'text',
    created_by: 'text',
    created_at: 'time',
  },
  condition: 'true',
  order: [{ field: 'created_at', direction: 'desc' }],
};

/** A run that is to begin. */
export type NewExtractRun = Pick<
  ExtractRunRow,
  'id' | 'tenant' | 'extract_id' | 'extract_name' | 'filename' | 'request' | 'created_by'
>;

/**
 * Writes a run as `pending`, and counts it with its extract.
 *
 * @returns whether it was written: not where another one of the extract is active, or the id is there
 */
export async function insertExtractRun(client: ControlClient, run: NewExtractRun): Promise<boolean> {
  const { id, tenant, extract_id, extract_name, filename, request, created_by } = run;
  const { rowCount } = await client.query(
    `insert into thaw_api.extract_runs (id, tenant, extract_id, extract_name, filename, request, created_by, status)
     values ($1, $2, $3, $4, $5, $6, $7, 'pending')
     on conflict do nothing`,
    [id, tenant, extract_id, extract_name, filename, request, created_by],
  );
  if (rowCount === 0) return false;
  await client.query(
    'update thaw_api.extracts set total_runs = total_runs + 1, last_run_id = $2, last_run_at = now() where id = $1',
    [extract_id, id],
  );
  return true;
}

/** A run; null where the tenant has none of that id. A tenant of null sees those of all. */
export async function readExtractRun(
  client: ControlClient,
  id: string,
  tenant: string | null,
): Promise<ExtractRunRow | null> {
  const { rows } = await client.query<ExtractRunRow>(
    'select * from thaw_api.extract_runs where id = $1 and ($2::text is null or tenant = $2)',
    [id, tenant],
  );
  return rows[0] ?? null;
}

/** The active run of an extract; null where there is none. */
export async function readActiveExtractRun(
  client: ControlClient,
  extractId: string,
): Promise<ExtractRunRow | null> {
  const { rows } = await client.query<ExtractRunRow>(
    `select * from thaw_api.extract_runs where extract_id = $1 and status in ('pending', 'queued', 'running')`,
    [extractId],
  );
  return rows[0] ?? null;
}

/** Runs that have not ended and were not written for some seconds, the oldest first. */
export async function listUntouchedExtractRuns(
  client: ControlClient,
  seconds: number,
  limit: number,
): Promise<ExtractRunRow[]> {
  const { rows } = await client.query<ExtractRunRow>(
    `select * from thaw_api.extract_runs
     where status in ('pending', 'queued', 'running') and updated_at < now() - make_interval(secs => $1)
     order by created_at limit $2`,
    [seconds, limit],
  );
  return rows;
}

/** Writes how a run stands. One that has ended is not changed any more. */
export async function updateExtractRun(
  client: ControlClient,
  id: string,
  standing: ExtractStanding,
): Promise<void> {
  const result = standing.status === 'completed' ? standing.result : null;
  const error = standing.status === 'failed' ? standing.error : null;
  await client.query(
    `update thaw_api.extract_runs set
       status = $2,
       progress = case when $2 = 'completed' then 100 else progress end,
       progress_detail = coalesce($3, progress_detail),
       started_at = coalesce(started_at, now()),
       completed_at = case when $2 <> 'running' then now() end,
       records_exported = coalesce($4, records_exported),
       models_exported = coalesce($5, models_exported),
       key = $6,
       bytes = $7,
       sha256 = $8,
       expires_at = now() + make_interval(secs => $9),
       error = $10,
       error_detail = $11,
       updated_at = now()
     where id = $1 and completed_at is null`,
    [
      id,
      standing.status,
      result === null ? null : { notices: result.notices },
      result?.records ?? null,
      result?.models ?? null,
      result?.key ?? null,
      result?.bytes ?? null,
      result?.sha256 ?? null,
      standing.status === 'completed' ? standing.keep : null,
      error?.message ?? null,
      error === null ? null : `${error.code}: ${error.message}\n${error.hint}`,
    ],
  );
}

/** Writes that Temporal has a run, which lets other processes know that it was looked at. */
export async function touchExtractRun(client: ControlClient, id: string): Promise<void> {
  await client.query(
    `update thaw_api.extract_runs set
       status = case status when 'pending' then 'queued' else status end,
       updated_at = now()
     where id = $1`,
    [id],
  );
}

/** Counts a download. */
export async function countDownload(client: ControlClient, id: string): Promise<void> {
  await client.query('update thaw_api.extract_runs set download_count = download_count + 1 where id = $1', [
    id,
  ]);
}

/** Marks bundles as removed whose time is over, as `takeExpiredUploads` does. @returns their keys */
export async function takeExpiredExtracts(client: ControlClient, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `update thaw_api.extract_runs set removed_at = now()
     where id in (
       select extract.id from thaw_api.extract_runs as extract
       where extract.key is not null and extract.removed_at is null and extract.expires_at <= now()
         and not exists (
           select from thaw_api.restore_runs as run
           where run.status in ('pending', 'queued', 'running')
             and run.request #>> '{bundle,source,key}' = extract.key)
       order by extract.expires_at limit $1
       for update skip locked)
     returning key`,
    [limit],
  );
  return rows.map(({ key }) => key);
}
