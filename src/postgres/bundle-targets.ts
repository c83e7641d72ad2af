import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
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
