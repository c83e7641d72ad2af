import type pg from 'pg';
import { isSqlState, sqlState } from './sqlstate.ts';
import { endSessions } from './targets.ts';
import { inTransaction, withLockTimeout } from './transaction.ts';

/** Key of the advisory locks that attempts of a restore of a bundle hold, one for each restore: "bdlr" in ASCII. */
const restoreLock = 0x62646c72;

/** Begins the names of the sessions that restore a bundle; the attempt follows. */
export function bundleSessionPrefix(restoreId: string): string {
  return `thaw/${restoreId}/bundle/`;
}

/**
 * Begins a transaction of a restore that no other attempt of it is in: one that does not end in time is taken
 * for left over, and ended by its session.
 */
export async function beginFenced(client: pg.Client, restoreId: string): Promise<void> {
  try {
    await client.query('begin');
    await withLockTimeout(client, () =>
      client.query('select pg_advisory_xact_lock($1, hashtext($2))', [restoreLock, restoreId]),
    );
  } catch (error) {
    await client.query('rollback');
    if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
    await endSessions(client, bundleSessionPrefix(restoreId));
    return beginFenced(client, restoreId);
  }
}

/** Does something in such a transaction: committed, or rolled back where it throws. */
export async function inFencedTransaction<Result>(
  client: pg.Client,
  restoreId: string,
  work: () => Promise<Result>,
): Promise<Result> {
  return inTransaction(client, work, () => beginFenced(client, restoreId));
}
