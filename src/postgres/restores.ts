import type pg from 'pg';
import type { RestoreOutcome } from '../contract/outcome.ts';
import type { RestoreState } from '../contract/progress.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { isoTime, readKept, writeKept } from './kept.ts';

/** What `thaw.restores` keeps of a restore: it answers without a worker, and after Temporal's retention. */
export interface RestoreRecord {
  readonly request: RestoreRequest;
  readonly state: RestoreState;
  /** Null until the restore has ended. */
  readonly outcome: RestoreOutcome | null;
  readonly workflowId: string | null;
}

/** A record as it is read, with its times in ISO 8601. */
export interface StoredRestore extends RestoreRecord {
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly finishedAt: string | null;
}

const object = 'thaw.restores';

/** Writes the state of a restore; an older record of it is replaced. */
export async function writeRestore(client: pg.Client, restore: RestoreRecord): Promise<void> {
  const { request, state, outcome, workflowId } = restore;
  await writeKept(
    client,
    object,
    `insert into thaw.restores as own
       (restore_id, fingerprint, database, request, state, outcome, workflow_id, finished_at)
     values ($1, $2, $3, $4, $5, $6, $7, case when $6::jsonb is not null then now() end)
     on conflict (restore_id) do update
     set state = excluded.state, outcome = excluded.outcome, updated_at = now(),
       workflow_id = coalesce(excluded.workflow_id, own.workflow_id), finished_at = excluded.finished_at`,
    [
      request.restoreId,
      request.fingerprint,
      request.database,
      JSON.stringify(request),
      state,
      outcome === null ? null : JSON.stringify(outcome),
      workflowId,
    ],
  );
}

/** Reads a restore; null when this database has none of that id, or Thaw never wrote into it. */
export async function readRestore(client: pg.Client, restoreId: string): Promise<StoredRestore | null> {
  const restores = await query(client, 'where restore_id = $1', [restoreId]);
  return restores[0] ?? null;
}

/** Reads the latest restores, the newest first. */
export async function listRestores(client: pg.Client, limit: number): Promise<StoredRestore[]> {
  return query(client, 'order by created_at desc, restore_id desc limit $1', [limit]);
}

function query(client: pg.Client, rest: string, values: readonly unknown[]): Promise<StoredRestore[]> {
  return readKept<StoredRestore>(
    client,
    object,
    `select request, state, outcome, workflow_id as "workflowId", ${isoTime('created_at')} as "createdAt",
       ${isoTime('updated_at')} as "updatedAt", ${isoTime('finished_at')} as "finishedAt"
     from thaw.restores ${rest}`,
    values,
  );
}
