import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { lease } from './targets.ts';

/**
 * Makes sure, in the transaction that writes, that many tables are still held, and that they stay so until its end.
 *
 * @throws ThawError `TargetBusy` when another restore has taken one
 */
export async function holdTargets(
  client: pg.Client,
  restoreId: string,
  held: readonly HeldTarget[],
): Promise<void> {
  const { rowCount } = await client.query(
    `select from thaw.targets join ${mine} on mine.oid = target_oid and mine.epoch = targets.epoch
     where restore_id = $1 order by target_oid for share of targets`,
    valuesOf(restoreId, held),
  );
  if (rowCount === held.length) return;
  throw new ThawError(
    'TargetBusy',
    `Restore ${restoreId} does not hold all of its tables any more: another one has taken some.`,
    { stage: 'commit' },
  );
}

/** Shows that the restore that holds tables is alive. */
export async function renewLeases(
  client: pg.Client,
  restoreId: string,
  held: readonly HeldTarget[],
): Promise<void> {
  await client.query(
    `update thaw.targets set lease_until = now() + $4::interval
     from ${mine} where target_oid = mine.oid and targets.epoch = mine.epoch and restore_id = $1`,
    [...valuesOf(restoreId, held), lease],
  );
}

/** Lets tables go that are still held. */
export async function releaseTargets(
  client: pg.Client,
  restoreId: string,
  held: readonly HeldTarget[],
): Promise<void> {
  await client.query(
    `update thaw.targets set released_at = now()
     from ${mine} where target_oid = mine.oid and targets.epoch = mine.epoch and restore_id = $1`,
    valuesOf(restoreId, held),
  );
}

/** Lets all go that a restore holds, whether it knows of them or not. */
export async function releaseAllTargets(client: pg.Client, restoreId: string): Promise<void> {
  await client.query(
    'update thaw.targets set released_at = now() where restore_id = $1 and released_at is null',
    [restoreId],
  );
}

const mine = 'unnest($2::oid[], $3::bigint[]) as mine (oid, epoch)';

function valuesOf(restoreId: string, held: readonly HeldTarget[]): unknown[] {
  return [restoreId, held.map(({ oid }) => oid), held.map(({ epoch }) => epoch)];
}
