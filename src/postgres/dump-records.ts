import type pg from 'pg';
import type { DumpOutcome, TableRows } from '../contract/dump-activities.ts';
import type { DumpRequest } from '../contract/dump-request.ts';
import type { RestoreState } from '../contract/progress.ts';
import { isoTime, readKept, writeKept } from './kept.ts';

/** What `thaw.dump_restores` keeps of a restore of a dump: it answers without a worker, and after Temporal's retention. */
export interface DumpRestoreRecord {
  readonly request: DumpRequest;
  readonly state: RestoreState;
  /** Null until the restore has ended. */
  readonly outcome: DumpOutcome | null;
}

/** A record as it is read, with its times in ISO 8601. */
export interface StoredDumpRestore extends DumpRestoreRecord {
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly endedAt: string | null;
}

const object = 'thaw.dump_restores';

/** Writes the state of a restore; an older record of it is replaced, but for what was found before it. */
export async function writeDumpRestore(client: pg.ClientBase, restore: DumpRestoreRecord): Promise<void> {
  const { request, state, outcome } = restore;
  await writeKept(
    client,
    object,
    `insert into thaw.dump_restores as own
       (restore_id, service, database, mode, request, state, key, etag, outcome, ended_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $9::jsonb is not null then now() end)
     on conflict (restore_id) do update
     set state = excluded.state, key = coalesce(excluded.key, own.key), etag = coalesce(excluded.etag, own.etag),
       outcome = excluded.outcome, updated_at = now(), ended_at = excluded.ended_at`,
    [
      ...identity(request),
      state,
      outcome?.dump?.key ?? null,
      outcome?.dump?.etag ?? null,
      outcome === null ? null : JSON.stringify(outcome),
    ],
  );
}

/** Keeps what the live database was before a restore touched anything. */
export async function writeSurvey(
  client: pg.ClientBase,
  request: DumpRequest,
  survey: object,
): Promise<void> {
  await writeKept(
    client,
    object,
    `insert into thaw.dump_restores (restore_id, service, database, mode, request, state, before)
     values ($1, $2, $3, $4, $5, 'running', $6)
     on conflict (restore_id) do update set before = excluded.before, updated_at = now()`,
    [...identity(request), JSON.stringify(survey)],
  );
}

/** Reads what {@link writeSurvey} has kept; null where there is nothing. */
export async function readSurvey<Survey extends object>(
  client: pg.ClientBase,
  restoreId: string,
): Promise<Survey | null> {
  const rows = await readKept<{ before: Survey | null }>(
    client,
    object,
    'select before from thaw.dump_restores where restore_id = $1',
    [restoreId],
  );
  return rows[0]?.before ?? null;
}

/** Keeps the rows of all tables of a restore, of which its report has some. */
export async function writeTableRows(
  client: pg.ClientBase,
  restoreId: string,
  tables: readonly TableRows[],
): Promise<void> {
  await writeKept(
    client,
    object,
    'update thaw.dump_restores set tables = $2, updated_at = now() where restore_id = $1',
    [restoreId, JSON.stringify(tables)],
  );
}

/** Reads what {@link writeTableRows} has kept; null where there is nothing. */
export async function readTableRows(
  client: pg.ClientBase,
  restoreId: string,
): Promise<readonly TableRows[] | null> {
  const rows = await readKept<{ tables: TableRows[] | null }>(
    client,
    object,
    'select tables from thaw.dump_restores where restore_id = $1',
    [restoreId],
  );
  return rows[0]?.tables ?? null;
}

/** Reads a restore; null when this database has none of that id, or Thaw never wrote into it. */
export async function readDumpRestore(
  client: pg.ClientBase,
  restoreId: string,
): Promise<StoredDumpRestore | null> {
  const [found] = await readRestores(client, 'where restore_id = $1', [restoreId]);
  return found ?? null;
}

/**
 * Reads the latest restores, the newest first.
 *
 * @param service null: of all services
 */
export function listDumpRestores(
  client: pg.ClientBase,
  service: string | null,
  limit: number,
): Promise<StoredDumpRestore[]> {
  const rest = 'where $1::text is null or service = $1 order by started_at desc, restore_id desc limit $2';
  return readRestores(client, rest, [service, limit]);
}

function readRestores(
  client: pg.ClientBase,
  rest: string,
  values: readonly unknown[],
): Promise<StoredDumpRestore[]> {
  return readKept<StoredDumpRestore>(
    client,
    object,
    `select request, state, outcome, ${isoTime('started_at')} as "startedAt",
       ${isoTime('updated_at')} as "updatedAt", ${isoTime('ended_at')} as "endedAt"
     from thaw.dump_restores ${rest}`,
    values,
  );
}

function identity(request: DumpRequest): unknown[] {
  const { restoreId, service, database, mode } = request;
  return [restoreId, service, database, mode, JSON.stringify(request)];
}
