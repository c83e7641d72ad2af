import type pg from 'pg';
import type { SnapshotRequest } from '../../contract/snapshot.ts';
import type { SnapshotPlan } from '../../contract/snapshot-restore.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { TargetTable } from '../../postgres/catalog.ts';
import { beginHistory, type HistoryBegin } from '../../postgres/snapshot-history.ts';
import { beginSnapshotRestore, readMerged, readSnapshotRestore } from '../../postgres/snapshot-restores.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { type TargetName, takeTargets } from '../../postgres/targets.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import { tellSource } from '../../restore/snapshot-progress.ts';
import { contentToken, refuseChanged } from '../merge/content-token.ts';
import { planForeignKeys } from '../order/held-keys.ts';
import { planLocks } from '../order/key-plan.ts';
import { nameOf } from '../order/table-order.ts';
import { checkSnapshot } from '../validate/check-snapshot.ts';
import { type ChosenTable, chooseTables } from './choose-tables.ts';
import { type OpenedSnapshot, openSnapshot, type SnapshotSite } from './open-snapshot.ts';
import { preSnapshotOf, removePreSnapshot } from './pre-snapshot.ts';

/** Issues that a refusal names. */
const mostTold = 5;

/**
 * Sees that a snapshot can be restored, takes its tables and writes down that the restore begins, which is the last
 * that is done. Of one that was merged already only that is told.
 *
 * @param workflow see `Taker`
 * @param perHour restores that may begin for one tenant within an hour; null: any number
 * @throws ThawError `TargetBusy` while another restore holds one of the tables; `InputInvalid` for a snapshot that has
 * expired or was restored before; what `openSnapshot` and `chooseTables` throw
 */
export async function planSnapshotRestore(
  client: pg.Client,
  request: SnapshotRequest,
  site: SnapshotSite,
  workflow: string,
  perHour: number | null,
): Promise<Omit<SnapshotPlan, 'searchAttributes'>> {
  const { restoreId, source } = request;
  const merged = await readMerged(client, restoreId);
  if (merged !== null) {
    const tables = merged.tables.map(({ schema, table }) => ({ schema, table, rows: 0 }));
    const preSnapshotId = (await readSnapshotRestore(client, restoreId))?.preSnapshotId ?? null;
    return { ...nothing, tables, preSnapshotId, isMerged: true };
  }
  const snapshot = await openSnapshot(source, site, client);
  const chosen = await chooseTables(client, snapshot, request);
  const notices = await refuseUnfit(client, snapshot, chosen, request);
  await refuseLostChanges(client, request, chosen);
  const targets = chosen.map(({ target }) => target);
  const preSnapshot = request.preSnapshot ? preSnapshotOf(request, chosen) : null;
  // What an earlier run took is not what is there now.
  if (preSnapshot !== null) await removePreSnapshot(site.place, preSnapshot.id);
  try {
    const keys = await planForeignKeys(client, targets);
    // What takes a restore back is never one too many.
    await beginHistory(
      client,
      historyOf(request, chosen),
      (request.undoes ?? null) === null ? perHour : null,
    );
    const held = await inTransaction(client, async () => {
      const taken = await takeTargets(client, { restoreId, workflow }, namesOf(targets));
      await beginSnapshotRestore(client, request, snapshot.sourceName, preSnapshot?.id ?? null, workflow);
      return taken;
    });
    return {
      held,
      tables: chosen.map(plannedTable),
      keys: keys.map(({ key, hold }) => ({ name: key.name, table: nameOf(key.child), hold })),
      locks: planLocks(targets, keys).map(({ table, lock, why }) => ({ table: nameOf(table), lock, why })),
      ...{ preSnapshot, preSnapshotId: preSnapshot?.id ?? null, isMerged: false, notices },
    };
  } catch (error) {
    throw databaseError(error, { object: 'the tables of the snapshot' });
  }
}

/** Rows that others have changed since are not lost with what is taken back: told before anything is copied. */
async function refuseLostChanges(
  client: pg.Client,
  { undoes = null, ifUnchanged }: SnapshotRequest,
  chosen: readonly ChosenTable[],
): Promise<void> {
  if (undoes === null || ifUnchanged === null) return;
  refuseChanged(chosen, ifUnchanged, await contentToken(client, chosen), undoes);
}

function historyOf(
  { restoreId, database, source, strategy, by, reason, preSnapshot }: SnapshotRequest,
  chosen: readonly ChosenTable[],
): HistoryBegin {
  const tenant = chosen.find((table) => table.tenant !== null)?.tenant ?? null;
  const currentStep = preSnapshot ? 'pre_restore_snapshot' : 'staging';
  return { restoreId, metadata: { database, source, strategy, tenant }, by, reason, currentStep };
}

function plannedTable({ target: { schema, table }, opened: { rows } }: ChosenTable) {
  return { schema, table, rows };
}

/** A partition is held by its root, which several may have. */
function namesOf(targets: readonly TargetTable[]): TargetName[] {
  const names = targets.map(({ rootOid, schema, table, hasUnique }): [number, TargetName] => [
    rootOid,
    { oid: rootOid, schema, table, ordered: hasUnique },
  ]);
  return [...new Map(names).values()];
}

const nothing = { held: [], keys: [], locks: [], preSnapshot: null, notices: [] } as const;

/** Gives what the user should know. */
async function refuseUnfit(
  client: pg.Client,
  snapshot: OpenedSnapshot,
  chosen: readonly ChosenTable[],
  { again, schemaStrategy, source, pointInTime }: SnapshotRequest,
): Promise<readonly string[]> {
  const { issues, notices } = await checkSnapshot(client, snapshot, {
    tables: chosen.map(({ opened }) => opened),
    schemaStrategy,
    // As a base it is as good as before.
    again: again || (pointInTime ?? null) !== null,
  });
  const [first] = issues;
  if (first === undefined) return notices;
  const told = issues.slice(0, mostTold).map(({ issue }) => issue);
  const more = issues.length > told.length ? ` And ${issues.length - told.length} more.` : '';
  throw new ThawError(first.code, `${tellSource(source)} cannot be restored: ${told.join('; ')}.${more}`, {
    object: first.object ?? undefined,
    hint: hintOf(snapshot, again),
  });
}

function hintOf({ rolledBack }: OpenedSnapshot, again: boolean): string {
  return rolledBack && !again
    ? 'Give --again to restore it once more, or `thaw undo` the restore of before.'
    : 'Use another snapshot (`thaw snapshot list`), or see what can be done: thaw snapshot validate.';
}
