import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteLiteral } from './identifier.ts';
import { readTriggerStates, setTriggerStates } from './trigger-states.ts';

/** How long the lock may be waited for: whoever comes later waits behind us. */
const lockTimeout = '15s';

/**
 * Makes a target ready for the merges of this transaction, once it has the turn: keeps others from writing
 * where rows are compared by hand, and disables triggers where that was asked for. The lock is one that
 * readers do not mind.
 *
 * Triggers are disabled and enabled again within the transaction: nobody else ever sees them disabled, and
 * whatever ends it, a crash too, leaves each as it was.
 *
 * @param alone keeps others from writing in any case
 * @returns what brings the triggers back, to be called behind the last merge
 * @throws what PostgreSQL answers, raw
 */
export async function holdForMerge(
  client: pg.Client,
  target: TargetTable,
  alone = false,
): Promise<() => Promise<void>> {
  if (!alone && target.comparedKey === null && !target.triggersDisabled) return async () => {};
  await client.query(`set local lock_timeout = ${quoteLiteral(lockTimeout)}`);
  const table = qualifiedName(target.schema, target.table);
  await client.query(`lock table ${table} in share row exclusive mode`);
  await client.query('set local lock_timeout = 0');
  return target.triggersDisabled ? holdTriggers(client, target.oid) : async () => {};
}

/**
 * Keeps the triggers of a table and its partitions from firing in the transaction that is open.
 *
 * @returns what brings them back
 * @throws what PostgreSQL answers, raw
 */
export async function holdTriggers(client: pg.Client, targetOid: number): Promise<() => Promise<void>> {
  const states = await readTriggerStates(client, targetOid);
  const firing = states.filter(({ state }) => state === 'O' || state === 'A');
  if (firing.length === 0) return async () => {};
  await setTriggerStates(
    client,
    firing.map((trigger) => ({ ...trigger, state: 'D' })),
  );
  return async () => {
    // PostgreSQL alters no table on which deferred checks still wait.
    await client.query('set constraints all immediate');
    await setTriggerStates(client, states);
  };
}
