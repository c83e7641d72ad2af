import type pg from 'pg';
import type { HeldTarget } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** How long a target counts as held without any sign of life: no session, no commit, no renewal. */
export const lease = '5 minutes';

/** Who takes a target. */
export interface Taker {
  readonly restoreId: string;
  /**
   * Temporal cluster, namespace and id of the workflow that holds the table. Temporal runs one workflow of
   * an id at a time: a holder of the same name as the taker's has ended, whatever its lease says.
   */
  readonly workflow: string;
}

/** The table that is taken. */
export interface TargetName {
  /** Of the root of a partition tree. */
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** Whether commits come in archive order. */
  readonly ordered: boolean;
}

/**
 * Takes a target for a restore and raises its epoch, so that whatever a former holder still does commits
 * nothing. Sessions that it left are ended. Call it outside a transaction.
 *
 * @throws ThawError `TargetBusy`, naming the holder, while another restore is alive on it
 */
export async function takeTarget(client: pg.Client, taker: Taker, target: TargetName): Promise<HeldTarget> {
  const [held] = await takeTargets(client, taker, [target]);
  if (held === undefined) throw new TypeError('One table is held once.');
  return held;
}

/**
 * Takes many, as {@link takeTarget} does one. In a transaction it takes all or none.
 *
 * @throws ThawError `TargetBusy` for the first that another restore is alive on
 */
export async function takeTargets(
  client: pg.Client,
  taker: Taker,
  targets: readonly TargetName[],
): Promise<HeldTarget[]> {
  for (;;) {
    const holders = await readHolders(client, targets);
    for (const target of targets) {
      const holder = holders.get(target.oid);
      if (holder !== undefined && isAlive(holder, taker)) throw busy(target, holder);
    }
    await endSessions(client, ...[...holders].map(([oid, { restoreId }]) => sessionPrefix(restoreId, oid)));
    const epochs = await writeHolders(client, taker, targets, holders);
    const held = targets.flatMap(({ oid, ordered }) => {
      const epoch = epochs.get(oid);
      return epoch === undefined ? [] : [{ oid, epoch, ordered }];
    });
    // Where somebody was faster, they are looked at anew.
    if (held.length === targets.length) return held;
  }
}

/** What came of asking for the turn. */
export type Turn = 'mine' | 'wait';

/** A load's place in archive order. */
export interface TurnClaim {
  readonly restoreId: string;
  readonly target: HeldTarget;
  /** Place of the first archive that the transaction decides. */
  readonly from: number;
  /** Place behind the last one. */
  readonly to: number;
}

/**
 * Asks, in the loading transaction, whether all archives before its own are decided, and if so moves the
 * turn behind them: order, fence and cursor in one row. The row stays locked until the commit.
 *
 * @throws ThawError `TargetBusy` when another restore has taken the table; `SerializationFailure` when
 * another attempt of the same load was faster
 */
export async function askForTurn(client: pg.Client, claim: TurnClaim): Promise<Turn> {
  const { restoreId, target, from, to } = claim;
  const moved = await client.query(
    `update thaw.targets
     set next_ordinal = $5, lease_until = now() + $6::interval
     where target_oid = $1 and restore_id = $2 and epoch = $3 and next_ordinal = $4`,
    [target.oid, restoreId, target.epoch, from, to, lease],
  );
  if (moved.rowCount === 1) return 'mine';
  const { rows } = await client.query<{ held: boolean; next_ordinal: number }>(
    `select restore_id = $2 and epoch = $3 as held, next_ordinal from thaw.targets where target_oid = $1`,
    [target.oid, restoreId, target.epoch],
  );
  const row = rows[0];
  if (row?.held !== true) throw lost(restoreId);
  if (row.next_ordinal > from) {
    throw new ThawError('SerializationFailure', 'Another attempt of this load has decided its archives.', {
      stage: 'commit',
    });
  }
  return 'wait';
}

/**
 * Tells which place in archive order is to be decided next.
 *
 * @throws ThawError `TargetBusy` when another restore has taken the table
 */
export async function readTurn(client: pg.Client, restoreId: string, target: HeldTarget): Promise<number> {
  const { rows } = await client.query<{ next_ordinal: number }>(
    `select next_ordinal from thaw.targets where target_oid = $1 and restore_id = $2 and epoch = $3`,
    [target.oid, restoreId, target.epoch],
  );
  const row = rows[0];
  if (row === undefined) throw lost(restoreId);
  return row.next_ordinal;
}

/**
 * Where order does not matter, as for a table without any key: makes sure that the target is still held, and
 * that it stays so until the commit.
 *
 * @throws ThawError `TargetBusy` when another restore has taken the table
 */
export async function holdTarget(
  client: pg.Client,
  claim: Pick<TurnClaim, 'restoreId' | 'target'>,
): Promise<void> {
  const { restoreId, target } = claim;
  const { rowCount } = await client.query(
    `select from thaw.targets where target_oid = $1 and restore_id = $2 and epoch = $3 for share`,
    [target.oid, restoreId, target.epoch],
  );
  if (rowCount !== 1) throw lost(restoreId);
}

/** Shows that a restore without a load in flight is alive. */
export async function renewLease(client: pg.Client, restoreId: string, target: HeldTarget): Promise<void> {
  await client.query(
    `update thaw.targets set lease_until = now() + $4::interval
     where target_oid = $1 and restore_id = $2 and epoch = $3`,
    [target.oid, restoreId, target.epoch, lease],
  );
}

/** Whether a restore has any table that it has not let go, and has given a sign of life of late. */
export async function holdsTargets(client: pg.Client, restoreId: string): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(
    `select exists (select from thaw.targets
       where restore_id = $1 and released_at is null and lease_until > now()) as held`,
    [restoreId],
  );
  return rows[0]?.held ?? false;
}

/** Lets a target go. Nothing happens when somebody else holds it by now. */
export async function releaseTarget(client: pg.Client, restoreId: string, target: HeldTarget): Promise<void> {
  await client.query(
    `update thaw.targets set released_at = now()
     where target_oid = $1 and restore_id = $2 and epoch = $3`,
    [target.oid, restoreId, target.epoch],
  );
}

/**
 * What the sessions of a restore on a target begin their `application_name` with. Behind it come the
 * place of the load and the attempt: `thaw/{restore}/{oid}.{ordinal}/{attempt}`.
 */
export function sessionPrefix(restoreId: string, oid: number): string {
  return `thaw/${restoreId}/${oid}.`;
}

/** What the sessions of all attempts at a load begin their `application_name` with. */
export function loadPrefix(restoreId: string, oid: number, ordinal: number): string {
  return `${sessionPrefix(restoreId, oid)}${ordinal}/`;
}

/**
 * Ends other sessions whose names begin with one of these, and waits until they are gone.
 *
 * @returns how many there were
 */
export async function endSessions(client: pg.Client, ...prefixes: string[]): Promise<number> {
  if (prefixes.length === 0) return 0;
  const { rows } = await client.query<{ ended: number }>(
    `select count(*) filter (where pg_terminate_backend(pid, 5000)) as ended
     from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()
       and exists (select from unnest($1::text[]) as prefix where starts_with(application_name, prefix))`,
    [prefixes],
  );
  return rows[0]?.ended ?? 0;
}

/**
 * Tells whether a load of an earlier place waits for a lock that this session holds, or for another load
 * that does: then the rows that this one has copied stand in the way, and it must give them up rather than
 * wait for its turn.
 */
export async function blocksEarlierLoad(
  client: pg.Client,
  restoreId: string,
  oid: number,
  ordinal: number,
): Promise<boolean> {
  // A transaction sees the sessions of its first look for ever: loads that connected later would be missed.
  await client.query('select pg_stat_clear_snapshot()');
  const { rows } = await client.query<{ blocks: boolean }>(
    `with recursive waiting as materialized (
       select pid, pg_blocking_pids(pid) as blockers,
         split_part(substr(application_name, length($1) + 1), '/', 1)::bigint as place
       from pg_stat_activity
       where starts_with(application_name, $1) and wait_event_type = 'Lock'
     ), stopped as (
       select pid, place from waiting where pg_backend_pid() = any(blockers)
       union
       select waiting.pid, waiting.place from waiting join stopped on stopped.pid = any(waiting.blockers)
     )
     select exists (select from stopped where place < $2) as blocks`,
    [sessionPrefix(restoreId, oid), ordinal],
  );
  return rows[0]?.blocks ?? false;
}

interface Holder {
  readonly restoreId: string;
  readonly workflow: string | null;
  readonly epoch: number;
  readonly released: boolean;
  readonly leased: boolean;
  readonly sessions: number;
}

/** Who holds targets, by their oids. */
async function readHolders(client: pg.Client, targets: readonly TargetName[]): Promise<Map<number, Holder>> {
  const { rows } = await client.query<Holder & { readonly oid: number }>(
    `select target_oid as oid, restore_id as "restoreId", holder_workflow as workflow, epoch,
       released_at is not null as released, lease_until > now() as leased,
       -- those of a bundle or a snapshot are not of one table
       (select count(*) from pg_stat_activity
        where (starts_with(application_name, 'thaw/' || restore_id || '/' || target_oid || '.')
            or starts_with(application_name, 'thaw/' || restore_id || '/bundle/')
            or starts_with(application_name, 'thaw/' || restore_id || '/snapshot/'))
          and datname = current_database()) as sessions
     from thaw.targets where target_oid = any($1::oid[])`,
    [targets.map(({ oid }) => oid)],
  );
  return new Map(rows.map(({ oid, ...holder }) => [oid, holder]));
}

function isAlive(holder: Holder, taker: Taker): boolean {
  if (holder.released || holder.restoreId === taker.restoreId || holder.workflow === taker.workflow)
    return false;
  return holder.leased || holder.sessions > 0;
}

/** Writes the taker over the holders that were seen; gives the epochs, by oid, where nobody was faster. */
async function writeHolders(
  client: pg.Client,
  taker: Taker,
  targets: readonly TargetName[],
  seen: ReadonlyMap<number, Holder>,
): Promise<Map<number, number>> {
  const { rows } = await client.query<{ oid: number; epoch: number }>(
    `insert into thaw.targets as held
       (target_oid, schema_name, table_name, restore_id, epoch, ordered, holder_workflow, lease_until)
     select oid, schema, "table", $2, seen + 1, ordered, $3, now() + $4::interval
     from jsonb_to_recordset($1) as target (oid oid, schema text, "table" text, seen bigint, ordered boolean)
     -- two that take the same ones wait for each other in one order
     order by oid
     on conflict (target_oid) do update
     set schema_name = excluded.schema_name, table_name = excluded.table_name,
       restore_id = excluded.restore_id, epoch = excluded.epoch, next_ordinal = 0,
       ordered = excluded.ordered, holder_workflow = excluded.holder_workflow,
       released_at = null, lease_until = excluded.lease_until, taken_at = now()
     where held.epoch = excluded.epoch - 1
     returning target_oid as oid, epoch`,
    [
      JSON.stringify(targets.map((target) => ({ ...target, seen: seen.get(target.oid)?.epoch ?? 0 }))),
      taker.restoreId,
      taker.workflow,
      lease,
    ],
  );
  return new Map(rows.map(({ oid, epoch }) => [oid, epoch]));
}

function busy(target: TargetName, holder: Holder): ThawError {
  const name = `${target.schema}.${target.table}`;
  return new ThawError('TargetBusy', `${name}: restore ${holder.restoreId} holds the table.`, {
    object: name,
    hint: `Wait for it (\`thaw watch ${holder.restoreId}\`) or cancel it. If its server is gone for good, the table is free within ${lease} of its last sign of life.`,
  });
}

function lost(restoreId: string): ThawError {
  return new ThawError(
    'TargetBusy',
    `Restore ${restoreId} does not hold the table any more: another one has taken it.`,
    {
      stage: 'commit',
    },
  );
}
