import type pg from 'pg';
import type { SnapshotSource, SnapshotTableResult, TenantPart } from '../contract/snapshot.ts';
import type {
  HandledKeys,
  HistoryError,
  HistoryMetadata,
  HistoryStep,
  SnapshotHistory,
} from '../contract/snapshot-history.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { isoTime, readKept, writeKept } from './kept.ts';
import { databaseError } from './sqlstate.ts';
import { inTransaction } from './transaction.ts';

const object = 'thaw.snapshot_history';

/** First key of the advisory locks under which restores of a tenant are counted: "thsh" in ASCII. */
const countLock = 0x74687368;

/** A restore that begins. */
export interface HistoryBegin {
  readonly restoreId: string;
  readonly metadata: HistoryMetadata;
  readonly by: string;
  readonly reason: string;
  /** What is done first. */
  readonly currentStep: string;
}

/** How far a restore is; written over what was there. */
export interface HistoryProgress {
  readonly currentStep: string | null;
  readonly steps: readonly HistoryStep[];
  readonly keys: HandledKeys | null;
  readonly transactionIds: readonly string[];
  readonly errors: number;
  readonly error: HistoryError | null;
}

/**
 * Writes that a restore has begun. Done once more it changes nothing; one that had failed begins anew.
 *
 * @param client in no transaction
 * @param perHour restores of one tenant's rows that may begin within an hour, however they end; null: any number.
 * Restores of whole tables are not counted
 * @throws ThawError `TooManyRestores`
 */
export async function beginHistory(
  client: pg.Client,
  { restoreId, metadata, by, reason, currentStep }: HistoryBegin,
  perHour: number | null,
): Promise<void> {
  const { source, tenant } = metadata;
  try {
    await inTransaction(client, async () => {
      // Two that begin at the same moment are counted one after the other.
      if (perHour !== null && tenant !== null) await admit(client, restoreId, tenant, perHour);
      await client.query(
        `insert into thaw.snapshot_history as own
           (restore_id, tenant_id, snapshot_id, initiated_by, reason, metadata, current_step)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (restore_id) do update
         set status = 'in_progress', current_step = excluded.current_step, rollback_started_at = clock_timestamp(),
           rollback_completed_at = null, duration_seconds = null, rows_restored = null
         where own.status = 'failed'`,
        [
          restoreId,
          tenant?.value ?? null,
          snapshotIdOf(source),
          by,
          reason,
          JSON.stringify(metadata),
          currentStep,
        ],
      );
    });
  } catch (error) {
    throw databaseError(error, { object });
  }
}

async function admit(
  client: pg.Client,
  restoreId: string,
  tenant: TenantPart,
  perHour: number,
): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1, hashtext($2))', [countLock, tenant.value]);
  await refuseTooMany(client, restoreId, tenant, perHour);
}

/**
 * Refuses a restore where so many others of the tenant were begun within an hour; `beginHistory` has the last word.
 *
 * @throws ThawError `TooManyRestores`
 */
export async function refuseTooMany(
  client: pg.Client,
  restoreId: string,
  { column, value }: TenantPart,
  perHour: number,
): Promise<void> {
  const rows = await readKept<{ begun: number; minutes: number | null }>(
    client,
    object,
    `select count(*) as begun,
       ceil(extract(epoch from min(rollback_started_at) + interval '1 hour' - clock_timestamp()) / 60)::int4 as minutes
     from thaw.snapshot_history
     where tenant_id = $1 and metadata #>> '{tenant,column}' = $2 and restore_id <> $3
       and rollback_started_at > clock_timestamp() - interval '1 hour'`,
    [value, column, restoreId],
  );
  const { begun, minutes } = rows[0] ?? { begun: 0, minutes: null };
  if (begun < perHour) return;
  throw new ThawError(
    'TooManyRestores',
    `${begun} restores of snapshots were begun for this tenant within an hour, and ${perHour} may be.`,
    {
      object: restoreId,
      hint: `Nothing was changed. Try again in ${minutes ?? 60} minutes, or raise THAW_SNAPSHOT_RESTORES_PER_HOUR.`,
    },
  );
}

/** Writes how far a restore is, as long as it has not ended. Takes no lock but that of its row, and at once lets go. */
export async function writeHistory(
  client: pg.Client,
  restoreId: string,
  progress: HistoryProgress,
): Promise<void> {
  await writeKept(
    client,
    object,
    `update thaw.snapshot_history
     set ${progressSql}
     where restore_id = $1 and status = 'in_progress'`,
    progressValues(restoreId, progress),
  );
}

const progressSql = `current_step = $2, restoration_steps = $3, fk_constraints_handled = $4, transaction_ids = $5,
       errors_encountered = $6, error_details = $7,
       tables_affected = case when jsonb_array_length($3) > 0
         then array(select step ->> 'table' from jsonb_array_elements($3) as step) else tables_affected end`;

function progressValues(
  restoreId: string,
  { currentStep, steps, keys, transactionIds, errors, error }: HistoryProgress,
): readonly unknown[] {
  return [
    ...[restoreId, currentStep, JSON.stringify(steps), JSON.stringify(keys ?? {}), transactionIds, errors],
    error === null ? null : JSON.stringify(error),
  ];
}

/**
 * Writes that a restore is completed: within the transaction that merges its rows, so that one is never without the
 * other. Of two attempts at one restore only one gets past it, and none once it was written that the restore failed.
 *
 * @throws ThawError `ConflictFound` where the restore has ended already: the transaction is to be rolled back
 */
export async function completeHistory(
  client: pg.Client,
  restoreId: string,
  progress: HistoryProgress,
  tables: readonly SnapshotTableResult[],
): Promise<void> {
  const rows = tables.reduce((all, { inserted, updated }) => all + inserted + updated, 0);
  const { rowCount } = await client.query(
    `update thaw.snapshot_history
     set ${progressSql}, status = 'completed', ${endedSql}, rows_restored = $8,
       tables_restored = array(select step ->> 'table' from jsonb_array_elements($3) as step),
       metadata = metadata || jsonb_build_object('tables', $9::jsonb)
     where restore_id = $1 and status = 'in_progress'`,
    [...progressValues(restoreId, progress), rows, JSON.stringify(tables)],
  );
  if (rowCount === 1) return;
  throw new ThawError('ConflictFound', `The restore ${restoreId} has ended already.`, {
    object: restoreId,
    stage: 'commit',
    hint: 'Another attempt at it has completed it or given it up; nothing was changed by this one.',
  });
}

const endedSql = `rollback_completed_at = clock_timestamp(),
       duration_seconds = extract(epoch from clock_timestamp() - rollback_started_at)::int4`;

/**
 * Writes that a restore failed, unless it is completed: from then on no merge of it commits any more. It waits for
 * one that is about to.
 *
 * @returns false where it is completed after all
 */
export async function failHistory(
  client: pg.Client,
  restoreId: string,
  error: HistoryError,
): Promise<boolean> {
  await writeKept(
    client,
    object,
    `update thaw.snapshot_history
     set status = 'failed', current_step = 'failed', ${endedSql}, rows_restored = 0, error_details = $2,
       errors_encountered = greatest(errors_encountered, 1),
       fk_constraints_handled = fk_constraints_handled ||
         case when fk_constraints_handled ? 'disabled'
           then jsonb_build_object('enabled', fk_constraints_handled -> 'disabled') else '{}' end,
       restoration_steps = coalesce(
         (select jsonb_agg(step.value || case when step.value ->> 'status' = 'pending' then '{}'::jsonb else
             '{"status": "failed", "eta_seconds": null, "completed_at": null, "rows_restored": null}' end
           order by step.ordinality)
         from jsonb_array_elements(restoration_steps) with ordinality as step), '[]')
     where restore_id = $1 and status = 'in_progress'`,
    [restoreId, JSON.stringify(error)],
  );
  const [found] = await readKept<{ readonly status: string }>(
    client,
    object,
    'select status from thaw.snapshot_history where restore_id = $1',
    [restoreId],
  );
  return found?.status !== 'completed';
}

/** Reads how a restore goes or went; null where it is not known. */
export async function readHistory(client: pg.ClientBase, restoreId: string): Promise<SnapshotHistory | null> {
  const [found] = await readKept<SnapshotHistory>(client, object, `${historySql} where restore_id = $1`, [
    restoreId,
  ]);
  return found ?? null;
}

/** What of the history is wanted. */
export interface HistoryChoice {
  /** Null: of all. */
  readonly snapshotId: string | null;
  /** Null: of all. */
  readonly tenantId: string | null;
  readonly limit: number;
}

/** Reads the latest restores of snapshots, the newest first; none where nothing is kept in this database. */
export function listHistory(
  client: pg.ClientBase,
  { snapshotId, tenantId, limit }: HistoryChoice,
): Promise<SnapshotHistory[]> {
  return readKept<SnapshotHistory>(
    client,
    object,
    `${historySql}
     where ($1::text is null or snapshot_id = $1) and ($2::text is null or tenant_id = $2)
     order by rollback_started_at desc, restore_id desc limit $3`,
    [snapshotId, tenantId, limit],
  );
}

const historySql = `
  select restore_id, tenant_id, snapshot_id, ${isoTime('rollback_started_at')} as rollback_started_at,
    ${isoTime('rollback_completed_at')} as rollback_completed_at, duration_seconds, status, rows_restored,
    tables_affected, errors_encountered, error_details, initiated_by, reason, notes, metadata, restoration_steps,
    current_step, tables_restored, fk_constraints_handled, transaction_ids
  from thaw.snapshot_history`;

/**
 * The history as a table for lists: with `id`, with whose rows a restore was of as `tenant`, which is null for whole
 * tables and otherwise what {@link historyPart} writes, and with its times as ISO 8601 besides.
 */
export const historyTable = `(
  select *, restore_id as id, metadata #>> '{tenant,column}' || chr(31) || tenant_id as tenant,
    ${isoTime('rollback_started_at')} as started_iso, ${isoTime('rollback_completed_at')} as completed_iso
  from thaw.snapshot_history) as history`;

/** How {@link historyTable} tells whose rows a restore was of. */
export function historyPart({ column, value }: TenantPart): string {
  return `${column}\u001f${value}`;
}

/** What the history calls a snapshot. */
function snapshotIdOf(source: SnapshotSource): string {
  return source.kind === 'object' ? source.key : source.id;
}
