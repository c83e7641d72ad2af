import type pg from 'pg';
import type { DumpSwap } from '../../contract/dump-activities.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabaseLock } from '../../postgres/database-lock.ts';
import { type DatabaseRow, readDatabase } from '../../postgres/databases.ts';
import { carryDatabase, readState } from './carry-database.ts';
import { checkReplaceable } from './check-target.ts';
import { parseRecord } from './database-record.ts';
import { type Exchange, exchange, type Left } from './exchange.ts';
import { type KeptDatabase, listOld } from './old-databases.ts';
import { repairLive } from './repair-live.ts';

/** Which database is to become the live one. */
export interface SwapOrder {
  /** The name of the live database. */
  readonly database: string;
  readonly restoreId: string;
  /** The database that was loaded, as {@link createBeside} named it. */
  readonly fresh: string;
  /** Oid of the live database when it was surveyed; null where there was none. */
  readonly liveOid: number | null;
  /** Who is to own it; null: as the live one. */
  readonly owner: string | null;
  readonly keepOldSeconds: number;
}

/** What else a swap goes by. */
export interface SwapTools {
  /**
   * Carries over what is in the live database (null: there is none), as `carryOver` does; its sessions have to be
   * closed by then. Called once all that a swap needs is there, and again by an attempt that follows.
   */
  readonly carry: (live: string | null) => Promise<readonly string[]>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a loaded database the live one, and keeps the one that was it under a dated name. An attempt that finds
 * it done does nothing; one that finds it half done begins by opening the live database again.
 *
 * @param client a session in the maintenance database, named by `dumpSessionPrefix`
 * @throws ThawError as {@link checkReplaceable} and {@link exchange}; the live database is then as it was
 */
export async function swap(
  client: pg.Client,
  order: SwapOrder,
  { carry, signal }: SwapTools,
): Promise<DumpSwap> {
  const { database, restoreId, owner, keepOldSeconds } = order;
  return withDatabaseLock(client, { database, restoreId }, async (lost) => {
    const done = await swapDone(client, order);
    if (done !== null) return done;
    await repairLive(client, database);
    await checkReplaceable(client, { database, create: order.liveOid === null, owner });
    const live = await readDatabase(client, database);
    if ((live?.oid ?? null) !== order.liveOid) throw notTheSame(database);
    const { fresh, record } = await readFresh(client, order);
    const carried = await carry(live === null ? null : database);
    const state = live === null ? record.state : await readState(client, live);
    const change: Exchange = {
      name: database,
      leaving: live,
      coming: fresh,
      record,
      restoreId,
      keepOldSeconds,
      prepare: () => carryDatabase(client, state, fresh.name, owner),
      comment: state?.comment ?? null,
    };
    const { notices, ...left } = await exchange(client, change, either(lost, signal));
    return { ...left, notices: [...carried, ...notices] };
  });
}

/** What swapping back did. */
export interface SwappedBack extends Left {
  /** The name that the database was kept under which is live again. */
  readonly from: string;
}

/**
 * Undoes the last swap of a database: the old one is live again, as it was, and what was live is kept in its turn.
 *
 * @param client a session in the maintenance database, named by `dumpSessionPrefix`
 * @param order its `restoreId` is that of the swapping back
 * @throws ThawError `TargetMissing` where no old one is kept, and as {@link swap}
 */
export async function swapBack(
  client: pg.Client,
  order: Pick<SwapOrder, 'database' | 'restoreId' | 'keepOldSeconds'>,
  signal?: AbortSignal,
): Promise<SwappedBack> {
  const { database, restoreId, keepOldSeconds } = order;
  return withDatabaseLock(client, order, async (lost) => {
    await repairLive(client, database);
    const last = (await listOld(client)).find(({ record }) => record.live === database);
    // An earlier attempt has done it, and its answer was lost.
    if (last?.record.restore === restoreId) return { from: last.record.replacedBy, ...leftBy(last) };
    const coming = last === undefined ? null : await readDatabase(client, last.name);
    if (last === undefined || coming === null) {
      throw new ThawError('TargetMissing', `No old database of ${database} is kept.`, {
        object: database,
        hint: 'It was dropped when its time was over, or there was none. Restore a dump instead.',
      });
    }
    await checkReplaceable(client, { database, create: true, owner: null });
    const change: Exchange = {
      name: database,
      leaving: await readDatabase(client, database),
      coming,
      record: last.record,
      restoreId,
      keepOldSeconds,
      prepare: async () => [],
      comment: last.record.comment,
    };
    const { old, dropAt } = await exchange(client, change, either(lost, signal));
    return { from: last.name, old, dropAt };
  });
}

/** What an earlier attempt has done already, whose answer was lost; null: nothing. */
async function swapDone(client: pg.Client, order: SwapOrder): Promise<DumpSwap | null> {
  if ((await readDatabase(client, order.fresh)) !== null) return null;
  const old = (await listOld(client)).find(
    ({ record }) => record.live === order.database && record.restore === order.restoreId,
  );
  if (old !== undefined) return { ...leftBy(old), notices: [] };
  const made = order.liveOid === null && (await readDatabase(client, order.database)) !== null;
  return made ? { old: null, dropAt: null, notices: [] } : null;
}

function leftBy({ name, record }: KeptDatabase): Left {
  return { old: name, dropAt: record.dropAt };
}

async function readFresh(client: pg.Client, order: SwapOrder) {
  const fresh: DatabaseRow | null = await readDatabase(client, order.fresh);
  const record = parseRecord(fresh?.comment ?? null);
  if (fresh !== null && record?.thaw === 'new' && record.restore === order.restoreId)
    return { fresh, record };
  throw new ThawError('TargetMissing', `There is no database ${order.fresh} of this restore.`, {
    object: order.fresh,
    hint: 'It was dropped or changed meanwhile. Restore again.',
  });
}

function notTheSame(database: string): ThawError {
  return new ThawError('TargetBusy', `${database}: it is not the database that was there at the beginning.`, {
    object: database,
    hint: 'See who else restores or renames databases there, then restore again.',
  });
}

function either(lost: AbortSignal, signal: AbortSignal | undefined): AbortSignal {
  return signal === undefined ? lost : AbortSignal.any([lost, signal]);
}
