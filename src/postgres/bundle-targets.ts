import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type Taker, takeTargets } from './targets.ts';

/**
 * Takes the tables of models for a restore of a bundle, as restores of archives take theirs. Those that are not
 * there yet are nobody else's.
 *
 * @throws ThawError `TargetBusy`, naming the holder, while another restore is alive on one of them
 */
export async function takeModels(
  client: pg.Client,
  taker: Taker,
  namespace: string,
  models: readonly string[],
): Promise<HeldTarget[]> {
  const { rows } = await client.query<{ oid: number; schema: string; table: string }>(
    `select distinct on (1) coalesce(pg_partition_root(c.oid)::oid, c.oid) as oid, n.nspname as schema, c.relname as table
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = any($2::name[]) and c.relkind in ('r', 'p', 'v')
     order by 1, c.relname`,
    [namespace, models],
  );
  return takeTargets(
    client,
    taker,
    rows.map((target) => ({ ...target, ordered: true })),
  );
}

/**
 * Makes sure, in the loading transaction, that the tables are still held, and that they stay so until its end.
 *
 * @throws ThawError `TargetBusy` when another restore has taken one
 */
export async function holdModels(
  client: pg.Client,
  restoreId: string,
  held: readonly HeldTarget[],
): Promise<void> {
  const { rowCount } = await client.query(
    `select from thaw.targets
     join unnest($2::oid[], $3::bigint[]) as mine (oid, epoch) on mine.oid = target_oid and mine.epoch = targets.epoch
     where restore_id = $1 order by target_oid for share of targets`,
    [restoreId, held.map(({ oid }) => oid), held.map(({ epoch }) => epoch)],
  );
  if (rowCount === held.length) return;
  throw new ThawError(
    'TargetBusy',
    `Restore ${restoreId} does not hold all of its tables any more: another one has taken some.`,
    { stage: 'commit' },
  );
}

/** Lets tables go that are still held. */
export async function releaseModels(
  client: pg.Client,
  restoreId: string,
  held: readonly HeldTarget[],
): Promise<void> {
  await client.query(
    `update thaw.targets set released_at = now()
     from unnest($2::oid[], $3::bigint[]) as mine (oid, epoch)
     where target_oid = mine.oid and targets.epoch = mine.epoch and restore_id = $1`,
    [restoreId, held.map(({ oid }) => oid), held.map(({ epoch }) => epoch)],
  );
}
