import type pg from 'pg';
import type { RestoreState } from '../contract/progress.ts';
import type {
  SnapshotOutcome,
  SnapshotRequest,
  SnapshotSource,
  SnapshotTableResult,
} from '../contract/snapshot.ts';
import type { MergedSnapshot } from '../contract/snapshot-restore.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { isoTime, readKept, writeKept } from './kept.ts';

/** What tells a snapshot from any other, as restores of it are recorded. */
export interface SourceName {
  readonly kind: SnapshotSource['kind'];
  /** The store, or the schema of the table of snapshots. */
  readonly place: string;
  /** The id, or the key of the object. */
  readonly id: string;
  /** The entity tag of an object, which may be replaced; null for the others. */
  readonly version: string | null;
}

/** What `thaw.snapshot_restores` keeps of a restore: it answers without a worker, and after Temporal's retention. */
export interface StoredSnapshotRestore {
  readonly request: SnapshotRequest;
  readonly state: RestoreState;
  /** Null until the restore has ended. */
  readonly outcome: SnapshotOutcome | null;
  readonly preSnapshotId: string | null;
  /** Of the tables as the restore left them; null where nothing was kept to undo it by. */
  readonly contentToken: string | null;
  /** Times are ISO 8601. Null: its rows were not committed. */
  readonly mergedAt: string | null;
  /** Null: what it did was not taken back. */
  readonly undoneAt: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

const object = 'thaw.snapshot_restores';

/** Whether a snapshot was restored into this database, and that was not undone since. */
export async function wasRestored(
  client: pg.Client,
  { kind, place, id, version }: SourceName,
): Promise<boolean> {
  const rows = await readKept<{ one: number }>(
    client,
    object,
    `select 1 as one from thaw.snapshot_restores
     where source_kind = $1 and source_place = $2 and source_id = $3 and source_version is not distinct from $4
       and merged_at is not null and undone_at is null
     limit 1`,
    [kind, place, id, version],
  );
  return rows.length > 0;
}

/**
 * Writes down that a restore begins; one of its id that was begun before goes on under it.
 *
 * @param workflow see `Taker`
 */
export async function beginSnapshotRestore(
  client: pg.Client,
  request: SnapshotRequest,
  source: SourceName,
  preSnapshotId: string | null,
  workflow: string,
): Promise<void> {
  await writeKept(
    client,
    object,
    `insert into thaw.snapshot_restores
       (restore_id, source_kind, source_place, source_id, source_version, request, state, pre_snapshot_id, workflow)
     values ($1, $2, $3, $4, $5, $6, 'running', $7, $8)
     on conflict (restore_id) do update
     set source_place = excluded.source_place, source_version = excluded.source_version, state = excluded.state,
       outcome = null, pre_snapshot_id = excluded.pre_snapshot_id, workflow = excluded.workflow, updated_at = now(),
       ended_at = null`,
    [
      request.restoreId,
      ...[source.kind, source.place, source.id, source.version],
      JSON.stringify(request),
      preSnapshotId,
      workflow,
    ],
  );
}

/**
 * Writes down, in the transaction that merges, what it does.
 *
 * @returns the id of the transaction, and the place of the source
 * @throws ThawError `SerializationFailure` where another attempt has done it
 */
export async function writeMerged(
  client: pg.Client,
  restoreId: string,
  tables: readonly SnapshotTableResult[],
  contentToken: string | null,
): Promise<{ readonly transactionId: string; readonly place: string }> {
  const { rows } = await client.query<{ transactionId: string; place: string }>(
    `update thaw.snapshot_restores
     set merged_at = now(), merged = $2, transaction_id = txid_current()::text, content_token = $3,
       updated_at = now()
     where restore_id = $1 and merged_at is null
     returning transaction_id as "transactionId", source_place as place`,
    [restoreId, JSON.stringify(tables), contentToken],
  );
  const [written] = rows;
  if (written !== undefined) return written;
  throw new ThawError(
    'SerializationFailure',
    `Another attempt at restore ${restoreId} has merged its rows.`,
    {
      object: restoreId,
      stage: 'commit',
    },
  );
}

/** A snapshot that a restore had brought back, which it counts for no more, or again. */
export interface ToggledSource extends SourceName {
  readonly restoreId: string;
  readonly isUndone: boolean;
}

/**
 * Writes down, in the transaction that merges, that a restore is taken back. What that one had taken back itself is
 * done again, and so on.
 *
 * @returns what each of them had restored
 */
export async function markUndone(client: pg.Client, restoreId: string): Promise<ToggledSource[]> {
  const toggled: ToggledSource[] = [];
  let next: string | null = restoreId;
  for (let isUndone = true; next !== null; isUndone = !isUndone) {
    const undone = await toggle(client, next, isUndone);
    if (undone !== null) toggled.push(undone);
    next = undone?.undoes ?? null;
  }
  return toggled;
}

async function toggle(
  client: pg.Client,
  restoreId: string,
  isUndone: boolean,
): Promise<(ToggledSource & { readonly undoes: string | null }) | null> {
  const { rows } = await client.query<SourceName & { readonly undoes: string | null }>(
    `update thaw.snapshot_restores
     set undone_at = case when $2 then now() end, updated_at = now()
     where restore_id = $1
     returning source_kind as kind, source_place as place, source_id as id, source_version as version,
       request ->> 'undoes' as undoes`,
    [restoreId, isUndone],
  );
  const [found] = rows;
  return found === undefined ? null : { ...found, restoreId, isUndone };
}

/** What a restore has committed; null: nothing yet. */
export async function readMerged(client: pg.Client, restoreId: string): Promise<MergedSnapshot | null> {
  const [merged] = await readKept<MergedSnapshot>(
    client,
    object,
    `select merged as tables, transaction_id as "transactionId", '[]'::jsonb as notices
     from thaw.snapshot_restores where restore_id = $1 and merged_at is not null`,
    [restoreId],
  );
  return merged ?? null;
}

/** Writes state and outcome of a restore. One that could not begin is written as a whole. */
export async function writeSnapshotRestore(
  client: pg.Client,
  {
    request,
    state,
    outcome,
  }: Pick<StoredSnapshotRestore, 'state' | 'outcome'> & { readonly request: SnapshotRequest },
): Promise<void> {
  const { source, restoreId } = request;
  await writeKept(
    client,
    object,
    `insert into thaw.snapshot_restores
       (restore_id, source_kind, source_place, source_id, request, state, outcome, ended_at)
     values ($1, $2, '', $3, $4, $5, $6, case when $6::jsonb is not null then now() end)
     on conflict (restore_id) do update
     set state = excluded.state, outcome = excluded.outcome, updated_at = now(), ended_at = excluded.ended_at`,
    [
      restoreId,
      source.kind,
      source.kind === 'object' ? source.key : source.id,
      JSON.stringify(request),
      state,
      outcome === null ? null : JSON.stringify(outcome),
    ],
  );
}

/** Reads a restore; null when this database has none of that id. */
export async function readSnapshotRestore(
  client: pg.Client,
  restoreId: string,
): Promise<StoredSnapshotRestore | null> {
  const [restore] = await query(client, 'where restore_id = $1', [restoreId]);
  return restore ?? null;
}

/** Reads the latest restores, the newest first. */
export async function listSnapshotRestores(
  client: pg.Client,
  limit: number,
): Promise<StoredSnapshotRestore[]> {
  return query(client, 'order by started_at desc, restore_id desc limit $1', [limit]);
}

function query(
  client: pg.Client,
  rest: string,
  values: readonly unknown[],
): Promise<StoredSnapshotRestore[]> {
  return readKept<StoredSnapshotRestore>(
    client,
    object,
    `select request, state, outcome, pre_snapshot_id as "preSnapshotId",
       content_token as "contentToken", ${isoTime('merged_at')} as "mergedAt",
       ${isoTime('undone_at')} as "undoneAt", ${isoTime('started_at')} as "startedAt",
       ${isoTime('ended_at')} as "endedAt"
     from thaw.snapshot_restores ${rest}`,
    values,
  );
}
